import { ActionIcon, Button, Menu } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { cancelJobs, retryJobs, useDeleteJob, useJobsAction } from "@/api/actions";
import type { JobView } from "@/api/generated";
import { messageOf } from "@/api/problem";
import { isActive } from "@/api/states";
import { Confirm } from "@/components/confirm";
import { Icon } from "@/components/icon";
import { LinkButton } from "@/components/link-button";
import { notifyDone, notifyFailed } from "@/components/notices";

/** What can be done with the job now; what cannot be undone is asked about once. */
export function Actions({ job }: { job: JobView }) {
  const navigate = useNavigate();
  const [asking, setAsking] = useState<"cancel" | "delete" | null>(null);
  const cancel = useJobsAction(cancelJobs);
  const retry = useJobsAction(retryJobs);
  const remove = useDeleteJob(() => navigate({ to: "/jobs" }));
  const active = isActive(job);
  const failed = (error: unknown) => notifyFailed(messageOf(error));

  return (
    <>
      {(job.state === "FAILED" || job.state === "CANCELLED") && (
        <Button
          leftSection={<Icon name="retry" size={16} />}
          loading={retry.isPending}
          onClick={() =>
            retry.mutate([job.id], {
              onSuccess: () => notifyDone("The job is tried again; it goes on from its last checkpoint."),
              onError: failed,
            })
          }
        >
          Retry
        </Button>
      )}
      <LinkButton variant="default" to="/submit" search={{ from: job.id }} leftSection={<Icon name="copy" size={16} />}>
        Clone
      </LinkButton>
      {active ? (
        <Button
          variant="default"
          leftSection={<Icon name="stop" size={16} />}
          disabled={job.cancel_requested}
          onClick={() => setAsking("cancel")}
        >
          {job.cancel_requested ? "Cancelling" : "Cancel"}
        </Button>
      ) : (
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon variant="default" size={36} aria-label="More actions">
              <Icon name="more" />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item
              leftSection={<Icon name="compare" size={16} />}
              onClick={() => void navigate({ to: "/compare", search: { jobs: job.id } })}
            >
              Compare with others
            </Menu.Item>
            <Menu.Item leftSection={<Icon name="trash" size={16} />} onClick={() => setAsking("delete")}>
              Delete
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      )}
      <Confirm
        opened={asking === "cancel"}
        title="Cancel this job?"
        act="Cancel the job"
        onClose={() => setAsking(null)}
        onConfirm={() => cancel.mutate([job.id], { onSuccess: () => notifyDone("The job will stop."), onError: failed })}
      >
        <p>Training stops now. Logs, metrics and checkpoints stay, and you can retry it later.</p>
      </Confirm>
      <Confirm
        opened={asking === "delete"}
        title="Delete this job?"
        act="Delete the job"
        onClose={() => setAsking(null)}
        onConfirm={() => remove.mutate(job.id, { onSuccess: () => notifyDone(`${job.name} is deleted.`), onError: failed })}
      >
        <p>It leaves the list with its attempts, timeline and logs. Registered models and the run in MLflow stay.</p>
      </Confirm>
    </>
  );
}

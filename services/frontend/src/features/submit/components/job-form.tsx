import { Button, Select, TagsInput, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useCallback, useState } from "react";
import type { JobView, Template } from "@/api/generated";
import { ApiError, messageOf } from "@/api/problem";
import { teamsQuery } from "@/api/queries";
import { notifyDone } from "@/components/notices";
import { Panel, ProblemBox } from "@/components/page";
import { forgetSubmission, submitJob } from "../api/submit-job";
import { AsCode } from "./as-code";
import { CodePick } from "./code-pick";
import { CheckpointFields } from "./checkpoint-fields";
import { DataPick } from "./data-pick";
import { SchemaField } from "./schema-field";
import styles from "./job-form.module.css";
import { Resume } from "./resume";
import { useDraft } from "./use-draft";
import { Verdict } from "./verdict";

const RESOURCES = ["workers", "cpus_per_worker", "gpus_per_worker", "memory_gb_per_worker", "min_workers"];

/** The form of one template. */
export function JobForm({ template, from, step }: { template: Template; from: JobView | undefined; step: number | undefined }) {
  const { fields, draft, change, setValue, problems, complete, body, shortBody, setServerProblems } = useDraft(template, from, step);
  const [insist, setInsist] = useState(false);
  const navigate = useNavigate();
  const queries = useQueryClient();
  const teams = useQuery(teamsQuery);
  const submit = useMutation({
    mutationFn: submitJob,
    onSuccess: (job) => {
      forgetSubmission();
      void queries.invalidateQueries({ queryKey: ["jobs"] });
      notifyDone(`${job.name} is accepted.`);
      void navigate({ to: "/jobs/$jobId", params: { jobId: job.id } });
    },
    onError: (error) => {
      if (error instanceof ApiError) setServerProblems(byField(error));
      setInsist(true);
    },
  });

  const onProblem = useCallback((error: ApiError | null) => setServerProblems(error ? byField(error) : {}), [setServerProblems]);
  const send = (event: FormEvent) => {
    event.preventDefault();
    setInsist(true);
    const [first] = Object.keys(problems);
    if (first !== undefined) {
      const id = fields.some((field) => field.name === first) ? `parameter-${first}` : `job-${first}`;
      document.getElementById(id)?.focus();
      return;
    }
    if (!submit.isPending) submit.mutate(body);
  };
  const shown = (name: string) => (insist ? problems[name] : undefined);
  const field = (name: string) => {
    const found = fields.find((one) => one.name === name);
    return (
      found && (
        <SchemaField
          key={name}
          field={found}
          value={draft.values[name] ?? ""}
          onChange={(text) => setValue(name, text)}
          problem={problems[name]}
          insist={insist}
          terse={RESOURCES.includes(name)}
        />
      )
    );
  };
  const others = fields.filter(({ name }) => !RESOURCES.includes(name) && name !== "seed");
  const unknown = Object.entries(problems).filter(([name]) => name.startsWith("?"));

  return (
    <form className={styles.form} onSubmit={send} noValidate>
      <div className={styles.column}>
        {(template.needs_code || template.takes_data) && (
          <Panel title={template.needs_code ? "Code and data" : "Data"}>
            <div className={styles.stack}>
              {template.needs_code && <CodePick code={draft.code} onChange={(code) => change({ code })} problem={shown("code")} />}
              {template.takes_data && (
                <DataPick data={draft.data} onChange={(data) => change({ data })} needsCode={template.needs_code} problem={shown("data")} />
              )}
            </div>
          </Panel>
        )}
        <Panel title="Parameters">
          <div className={styles.fields}>
            {others.map(({ name }) => field(name))}
            {field("seed")}
          </div>
        </Panel>
        <Panel title="Job">
          <div className={styles.fields}>
            <TextInput
              id="job-name"
              label="Name"
              description="For people; empty: made from the template."
              value={draft.name}
              error={shown("name")}
              maxLength={250}
              autoComplete="off"
              onChange={(event) => change({ name: event.currentTarget.value })}
            />
            {teams.data && teams.data.length > 1 && (
              <Select
                id="job-team"
                label="Team"
                description="Whose queue and quota it uses."
                data={teams.data.map(({ name }) => name)}
                value={draft.team ?? teams.data[0]?.name ?? null}
                allowDeselect={false}
                error={shown("team")}
                onChange={(team) => change({ team })}
              />
            )}
            <TagsInput
              id="job-tags"
              label="Tags"
              description="key:value, to find the job by."
              placeholder={draft.tags.length ? undefined : "project:digits"}
              value={draft.tags}
              error={problems.tags}
              onChange={(tags) => change({ tags })}
            />
            <TextInput
              id="job-retries"
              label="Retries"
              description="Further attempts after one that failed; each goes on from the last checkpoint. 0 to 20."
              inputMode="numeric"
              value={draft.retries}
              error={problems.retries}
              onChange={(event) => change({ retries: event.currentTarget.value })}
            />
            <TextInput
              id="job-deadline"
              label="Deadline (minutes)"
              description="An attempt that runs longer is stopped; empty: none."
              inputMode="numeric"
              placeholder="empty"
              value={draft.deadline}
              error={problems.deadline}
              onChange={(event) => change({ deadline: event.currentTarget.value })}
            />
            {(draft.image || teams.data?.some((team) => team.allowed_images)) && (
              <TextInput
                id="job-image"
                label="Container image"
                description="One that the team may use; empty: the platform's own."
                value={draft.image}
                error={problems.image}
                autoComplete="off"
                spellCheck={false}
                onChange={(event) => change({ image: event.currentTarget.value })}
              />
            )}
          </div>
        </Panel>
        <Panel title="Checkpoints">
          <div className={styles.stack}>
            {draft.resume && <Resume resume={draft.resume} problem={problems.resume} onChange={(resume) => change({ resume })} />}
            <CheckpointFields draft={draft} problems={problems} onChange={change} />
          </div>
        </Panel>
        <AsCode body={shortBody} />
      </div>
      <aside className={styles.side} aria-label="Resources and submission">
        <Panel title="Resources">
          <div className={styles.stack}>
            <div className={styles.resources}>{RESOURCES.map(field)}</div>
            <Verdict body={body} complete={complete} onProblem={onProblem} />
          </div>
        </Panel>
        {submit.isError && <ProblemBox error={messageOf(submit.error)} title="It was not accepted." />}
        {unknown.map(([name, problem]) => (
          <ProblemBox key={name} error={`${name.slice(1)}: ${problem}`} />
        ))}
        <div className={styles.submit}>
          <Button type="submit" size="md" fullWidth loading={submit.isPending}>
            Submit job
          </Button>
        </div>
        {insist && Object.keys(problems).length > 0 && (
          <p className={styles.wrong} role="alert">
            {Object.keys(problems).length === 1
              ? "One answer needs another look."
              : `${Object.keys(problems).length} answers need another look.`}
          </p>
        )}
      </aside>
    </form>
  );
}

const KNOWN = ["name", "code", "data", "team", "tags", "retries", "image", "resume"];
const PLACES: Record<string, string> = {
  deadline_seconds: "deadline",
  "checkpoints.keep": "keep",
  "checkpoints.best_metric": "bestMetric",
};

/** The server's complaints by the form's fields; those that belong to none begin with "?". */
function byField(error: ApiError): Record<string, string> {
  return Object.fromEntries(
    error.fields.map(({ field, message, fix }) => {
      const [head = "", name] = field.split(".");
      const place = head === "parameters" && name ? name : (PLACES[field] ?? (KNOWN.includes(head) ? head : `?${field}`));
      return [place, `${message.charAt(0).toUpperCase()}${message.slice(1)}${fix ? `; ${fix}` : ""}.`];
    }),
  );
}

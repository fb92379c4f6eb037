import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { jobQuery, templateQuery, templatesQuery } from "@/api/queries";
import { Fetched } from "@/components/fetched";
import { Page } from "@/components/page";
import { JobForm } from "./job-form";
import { TemplatePicker } from "./template-picker";
import styles from "./submit.module.css";

const route = getRouteApi("/submit");

/** A new job: from a template, or from an earlier job whose answers are filled in. */
export function Submit() {
  const { template, from, step } = route.useSearch();
  const templates = useQuery(templatesQuery);
  const old = useQuery({ ...jobQuery(from ?? ""), enabled: from !== undefined });
  const name = template ?? old.data?.template ?? templates.data?.[0]?.name;
  const chosen = useQuery({ ...templateQuery(name ?? ""), enabled: name !== undefined });
  return (
    <Page
      title="New job"
      lead={
        from && old.data ? (
          <>
            Starts from{" "}
            <Link to="/jobs/$jobId" params={{ jobId: from }}>
              {old.data.name}
            </Link>
            , with its answers filled in.
          </>
        ) : (
          "Pick what to train, check the answers, submit. Every answer has a default that works."
        )
      }
    >
      <Fetched query={templates} what="templates">
        {(list) => <TemplatePicker templates={list} chosen={name} />}
      </Fetched>
      <div className={styles.form}>
        {from && !old.data ? (
          <Fetched query={old} what="job to start from">
            {() => null}
          </Fetched>
        ) : (
          <Fetched query={chosen} what="template">
            {(found) => (
              <JobForm
                key={`${found.name} ${from ?? ""} ${step ?? ""}`}
                template={found}
                from={old.data?.template === found.name ? old.data : undefined}
                step={step}
              />
            )}
          </Fetched>
        )}
      </div>
    </Page>
  );
}

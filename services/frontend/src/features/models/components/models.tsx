import { useQuery } from "@tanstack/react-query";
import { useLocation } from "@tanstack/react-router";
import { modelsQuery } from "@/api/queries";
import { Fetched } from "@/components/fetched";
import { LinkButton } from "@/components/link-button";
import { Empty, Page, Panel } from "@/components/page";
import { Model } from "./model";

const LIMIT = 500;

/** Registered models: every version with its figures, its aliases and the job that made it. */
export function Models() {
  const query = useQuery(modelsQuery(LIMIT));
  const hash = useLocation({ select: (location) => location.hash });
  return (
    <Page
      title="Models"
      lead="What jobs have registered, newest version first. An alias such as champion is a name that moves from version to version: programs load the model by it."
    >
      <Fetched query={query} what="models">
        {(versions) =>
          versions.length === 0 ? (
            <Panel>
              <Empty title="No models yet" action={<LinkButton to="/submit">New job</LinkButton>}>
                The ready trainers register one when they succeed; a script does with trainyard_train.log_model.
              </Empty>
            </Panel>
          ) : (
            [...Map.groupBy(versions, (version) => version.name)].map(([name, group]) => (
              <Model key={name} name={name} versions={group} marked={hash} />
            ))
          )
        }
      </Fetched>
    </Page>
  );
}

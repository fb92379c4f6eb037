import { useQuery } from "@tanstack/react-query";
import { Fetched } from "@/components/fetched";
import { plainText } from "@/lib/ansi";
import { stacksQuery } from "../api/queries";

/** Where each rank stood when the attempt was found to hang. */
export function Stacks({ jobId, attempt }: { jobId: string; attempt: number }) {
  const query = useQuery(stacksQuery(jobId, attempt));
  return (
    <Fetched query={query} what="stack dumps">
      {(stacks) =>
        stacks.map((stack) => (
          <details key={stack.rank}>
            <summary>Where rank {stack.rank} hung</summary>
            <pre tabIndex={0}>{plainText(stack.content)}</pre>
          </details>
        ))
      }
    </Fetched>
  );
}

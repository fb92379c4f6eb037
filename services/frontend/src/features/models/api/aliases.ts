import { useMutation, useQueryClient } from "@tanstack/react-query";
import { deleteAlias, updateAlias } from "@/api/generated";

/** Models are asked for again when an alias changed. */
function useModelsMutation<T>(act: (given: T) => Promise<unknown>) {
  const queries = useQueryClient();
  return useMutation({ mutationFn: act, onSettled: () => queries.invalidateQueries({ queryKey: ["models"] }) });
}

/** Lets an alias of the model lead to a version. */
export function useSetAlias(name: string) {
  return useModelsMutation(({ alias, version }: { alias: string; version: string }) =>
    updateAlias({ path: { name, alias }, body: { version }, throwOnError: true }),
  );
}

/** Takes an alias of the model away. */
export function useRemoveAlias(name: string) {
  return useModelsMutation((alias: string) => deleteAlias({ path: { name, alias }, throwOnError: true }));
}

import type { ModelVersionView } from "@/api/generated";

const MOST = 4;
const ORDER = [/^test_/, /^validation_|^val_/, /accuracy|loss|r2|rmse|f1|auc/];
const LEFT_OUT = /^system\/|^epoch$|^learning_rate$|^samples_per_second$/;

/** The figures that say most about a model: those on data it has not seen come first. */
export function headlines(versions: readonly ModelVersionView[]): string[] {
  const keys = [...new Set(versions.flatMap((version) => Object.keys(version.metrics)))].filter((key) => !LEFT_OUT.test(key));
  const rank = (key: string) => {
    const found = ORDER.findIndex((pattern) => pattern.test(key));
    return found < 0 ? ORDER.length : found;
  };
  return keys.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b)).slice(0, MOST);
}

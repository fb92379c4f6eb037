const ORDER = [/^test_/, /^validation_|^val_/, /accuracy|loss|r2|rmse|f1|auc/];
const LEFT_OUT = /^system\/|^epoch$|^learning_rate$|^samples_per_second$/;

/** The metrics that say most about a model, at most `most` of them: those on data it has not seen come first. */
export function headlines(all: readonly { metrics: Record<string, unknown> }[], most: number): string[] {
  const keys = [...new Set(all.flatMap(({ metrics }) => Object.keys(metrics)))].filter((key) => !LEFT_OUT.test(key));
  const rank = (key: string) => {
    const found = ORDER.findIndex((pattern) => pattern.test(key));
    return found < 0 ? ORDER.length : found;
  };
  return keys.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b)).slice(0, most);
}

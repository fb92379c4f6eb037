import styles from "./smoothing.module.css";

/** How much curves are smoothed: from not at all to 0.99 of the average kept. */
export function Smoothing({ value, onChange }: { value: number; onChange: (value: number) => void }) {
  return (
    <label className={styles.smoothing}>
      Smoothing
      <input type="range" min={0} max={0.99} step={0.01} value={value} onChange={(event) => onChange(Number(event.currentTarget.value))} />
      <span className="figure">{value ? value.toFixed(2) : "off"}</span>
    </label>
  );
}

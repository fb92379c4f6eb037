import styles from "./chart-buttons.module.css";

const BUTTONS = [
  { key: "+", label: "Zoom in", text: "+" },
  { key: "-", label: "Zoom out", text: "−" },
  { key: "ArrowLeft", label: "Move left", text: "←" },
  { key: "ArrowRight", label: "Move right", text: "→" },
  { key: "0", label: "Show all", text: "All" },
];

/** What the keys do, for fingers and pointers that cannot drag. The keys themselves are on the chart, so that Tab does not stop at each of these. */
export function ChartButtons({ onPress }: { onPress: (key: string) => void }) {
  return (
    <div className={styles.buttons}>
      {BUTTONS.map(({ key, label, text }) => (
        <button key={key} type="button" tabIndex={-1} aria-label={label} title={`${label} (${keyName(key)})`} onClick={() => onPress(key)}>
          {text}
        </button>
      ))}
    </div>
  );
}

function keyName(key: string): string {
  return { ArrowLeft: "left arrow", ArrowRight: "right arrow" }[key] ?? key;
}

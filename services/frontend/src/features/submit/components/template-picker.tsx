import { Link } from "@tanstack/react-router";
import type { TemplateSummary } from "@/api/generated";
import styles from "./template-picker.module.css";

/** The kinds of jobs, each with what it does. */
export function TemplatePicker({ templates, chosen }: { templates: TemplateSummary[]; chosen: string | undefined }) {
  return (
    <nav aria-label="Templates">
      <ul className={styles.picker}>
        {templates.map((template) => (
          <li key={template.name}>
            <Link
              to="/submit"
              search={{ template: template.name }}
              replace
              resetScroll={false}
              className={styles.card}
              aria-current={template.name === chosen ? "true" : undefined}
            >
              <strong>{template.title}</strong>
              <span>{template.description}</span>
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

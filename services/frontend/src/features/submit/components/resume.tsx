import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { formatNumber } from "@/lib/format";
import type { Body } from "@/lib/snippets";
import styles from "./resume.module.css";

interface ResumeProps {
  resume: NonNullable<Body["resume"]>;
  problem: string | undefined;
  onChange: (resume: Body["resume"]) => void;
}

/** The checkpoint that the new job goes on from, and the way to start from nothing instead. */
export function Resume({ resume, problem, onChange }: ResumeProps) {
  return (
    <div className={styles.resume} role="group" aria-label="Resume">
      <p>
        Goes on from {resume.step === null ? "the newest checkpoint" : `the checkpoint of step ${formatNumber(resume.step)}`} of{" "}
        <Link to="/jobs/$jobId" params={{ jobId: resume.job }} search={{ tab: "checkpoints" }}>
          {resume.job}
        </Link>
        . The model must be the same; what it trains on and how may change.
      </p>
      <Button size="compact-sm" variant="default" onClick={() => onChange(null)}>
        Start from nothing
      </Button>
      {problem && <p className={styles.problem}>{problem}</p>}
    </div>
  );
}

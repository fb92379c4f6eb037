import { Button, PasswordInput } from "@mantine/core";
import { type FormEvent, useEffect, useState } from "react";
import { setToken } from "@/api/session";
import styles from "./sign-in.module.css";

/** Asks for the API's token and tries it before letting anybody in. */
export function SignIn() {
  const [given, setGiven] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [trying, setTrying] = useState(false);

  useEffect(() => {
    document.title = "Sign in · Trainyard";
  }, []);

  async function tryToken(event: FormEvent): Promise<void> {
    event.preventDefault();
    const candidate = given.trim();
    if (!candidate) {
      setProblem("Paste the token first.");
      return;
    }
    if (!/^[!-~]+$/.test(candidate)) {
      setProblem("A token has no spaces and plain letters only; copy it again, in one line.");
      return;
    }
    setTrying(true);
    setProblem(null);
    try {
      const response = await fetch("/api/v1/templates", { headers: { Authorization: `Bearer ${candidate}` } });
      if (response.ok) setToken(candidate);
      else setProblem(response.status === 401 ? "This is not the API's token." : `The server answered with status ${response.status}.`);
    } catch {
      setProblem("The server does not answer. Try again in a moment.");
    }
    setTrying(false);
  }

  return (
    <main className={styles.page}>
      <form className={styles.card} onSubmit={(event) => void tryToken(event)} noValidate>
        <img src="/favicon.svg" alt="" width={44} height={44} />
        <h1>Trainyard</h1>
        <p>
          Run <code>trainyard open</code> where the platform runs: it opens this page signed in. Or paste the token; it is in the file{" "}
          <code>api-token</code> of the state folder (<code>~/.trainyard</code>).
        </p>
        <PasswordInput
          label="Token"
          autoFocus
          autoComplete="current-password"
          value={given}
          error={problem}
          onChange={(event) => setGiven(event.currentTarget.value)}
          visibilityToggleButtonProps={{ "aria-label": "Show the token" }}
        />
        <Button type="submit" loading={trying} fullWidth>
          Sign in
        </Button>
      </form>
    </main>
  );
}

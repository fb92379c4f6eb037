import { ActionIcon, Button, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { portalConfig } from "@/api/config";
import { setToken } from "@/api/session";
import { Icon } from "@/components/icon";
import { LinkButton } from "@/components/link-button";
import { Notices } from "@/components/notices";
import { ConnectionBar } from "./connection-bar";
import { PLACES } from "./navigation";
import styles from "./shell.module.css";
import { helpOpened, Shortcuts } from "./shortcuts";

/** What surrounds every page: navigation, the state of the connection, notices. */
export function Shell() {
  const main = useRef<HTMLElement>(null);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const first = useRef(true);
  useEffect(() => {
    if (first.current) first.current = false;
    else main.current?.focus({ preventScroll: true }); // a new page is announced, and Tab starts at its top
  }, [path]);

  return (
    <div className={styles.frame}>
      <a href="#main" className={styles.skip}>
        Skip to the content
      </a>
      <header className={styles.bar}>
        <Link to="/" className={styles.brand}>
          <img src="/favicon.svg" alt="" width={26} height={26} />
          Trainyard
        </Link>
        <nav aria-label="Main" className={styles.nav}>
          <LinkButton to="/submit" className={styles.submit} leftSection={<Icon name="plus" />} aria-label="New job">
            <span className={styles.label}>New job</span>
          </LinkButton>
          <ul>
            {PLACES.map(({ to, label, icon }) => (
              <li key={to}>
                <Link
                  to={to}
                  className={styles.place}
                  activeOptions={{ exact: to === "/", includeSearch: false }}
                  activeProps={{ "aria-current": "page" }}
                >
                  <Icon name={icon} />
                  <span>{label}</span>
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <div className={styles.foot}>
          <SchemeSwitch />
          <ActionIcon
            variant="subtle"
            color="gray"
            size="lg"
            className={styles.help}
            aria-label="Keyboard shortcuts"
            onClick={() => helpOpened.set(true)}
          >
            <Icon name="help" />
          </ActionIcon>
          {portalConfig().auth === "token" && (
            <Button variant="subtle" color="gray" size="compact-sm" className={styles.leave} onClick={() => setToken(null)}>
              Sign out
            </Button>
          )}
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1} className={styles.main}>
        <ConnectionBar />
        <Notices />
        <Outlet />
      </main>
      <Shortcuts />
    </div>
  );
}

function SchemeSwitch() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  const other = scheme === "dark" ? "light" : "dark";
  return (
    <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`Switch to ${other} colours`} onClick={() => setColorScheme(other)}>
      <Icon name={other === "dark" ? "moon" : "sun"} />
    </ActionIcon>
  );
}

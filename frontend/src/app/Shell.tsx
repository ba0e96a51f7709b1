import { Menu } from "@mantine/core";
import { useEffect, useState, type ReactNode } from "react";
import { Link, useLocation } from "wouter";

import { api, queryClient } from "../api/queries";
import type { Me } from "../api/types";
import { HelpSheet } from "../keyboard/HelpSheet";
import type { PageName } from "../keyboard/keymap";
import { useKeys } from "../keyboard/useKeys";
import { startLive, useLiveState } from "../live/live";
import { useFollowing } from "../live/useFollowing";
import { useClock } from "../time/clock";
import { formatTime, setTimeZone } from "../time/dates";
import { Icon } from "../ui/icons";
import { DeskBanner } from "./DeskBanner";
import { DeskDialog } from "./DeskDialog";
import { DestinationBanner } from "./DestinationBanner";
import { IdleGuard } from "./IdleGuard";
import { hasRole, placesFor, signOut } from "./session";
import styles from "./Shell.module.css";

function LiveState() {
  const { phase, since } = useLiveState();
  const text = {
    live: "live",
    connecting: "connecting",
    reconnecting: "reconnecting",
    offline: `offline since ${since ? formatTime(since) : ""}`,
  }[phase];
  return (
    <span
      className={styles.live}
      data-phase={phase}
      data-testid="live-state"
      data-state={phase}
      role="status"
      title={
        phase === "live"
          ? "Changes show at once"
          : "Asking the server every 15 s until the connection is back"
      }
    >
      <i aria-hidden="true" /> {text}
    </span>
  );
}

function Clock({ zone }: { zone: string }) {
  const time = useClock((now) => formatTime(now));
  return (
    <time className={styles.clock} title={zone}>
      {time}
    </time>
  );
}

function zones(current: string): string[] {
  const all = Intl.supportedValuesOf("timeZone");
  return [...new Set([current, "UTC", ...all])].filter(Boolean);
}

function UserMenu({ me, onDesk }: { me: Me; onDesk: () => void }) {
  const [choosing, setChoosing] = useState(false);
  return (
    <Menu position="bottom-end" width={260} onClose={() => setChoosing(false)} closeOnItemClick={false}>
      <Menu.Target>
        <button type="button" className={styles.user} aria-label={`Account of ${me.display_name}`}>
          {me.display_name || me.username} <Icon name="down" size={12} />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{me.roles.map((role) => role.replaceAll("_", " ")).join(", ")}</Menu.Label>
        {choosing ? (
          <label className={styles.zone}>
            Time zone
            <select
              value={me.time_zone}
              onChange={(event) => {
                void api
                  .setTimeZone(event.currentTarget.value)
                  .then(() => queryClient.invalidateQueries({ queryKey: ["me"] }));
              }}
            >
              <option value="">As this computer</option>
              {zones(me.time_zone).map((zone) => (
                <option key={zone}>{zone}</option>
              ))}
            </select>
          </label>
        ) : (
          <Menu.Item onClick={() => setChoosing(true)}>
            Time zone: {me.time_zone || "as this computer"}
          </Menu.Item>
        )}
        {hasRole(me, "radiologist") && <Menu.Item onClick={onDesk}>Applications on my desk</Menu.Item>}
        {hasRole(me, "pacs_administrator") && (
          <Menu.Item component="a" href="/admin/">
            Administration
          </Menu.Item>
        )}
        <Menu.Item onClick={() => void signOut()}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function isAt(path: string, place: string): boolean {
  return path === place || (place !== "/" && path.startsWith(`${place}/`));
}

function DepartmentMenu({ me, path }: { me: Me; path: string }) {
  const offered = placesFor(me).filter((place) => place.department);
  if (offered.length === 0) return null;
  const current = offered.find((place) => isAt(path, place.path));
  return (
    <Menu position="bottom-start" width={190}>
      <Menu.Target>
        <button type="button" className={styles.place} aria-current={current ? "true" : undefined}>
          Department{current && `: ${current.label}`} <Icon name="down" size={12} />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        {offered.map((place) => (
          <Menu.Item
            key={place.path}
            component={Link}
            href={place.path}
            aria-current={place === current ? "page" : undefined}
          >
            {place.label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function pageOf(path: string): PageName {
  if (path.startsWith("/read/")) return "read";
  if (path.startsWith("/quality")) return "quality";
  if (path.startsWith("/co-sign")) return "cosign";
  return path === "/" ? "worklist" : "everywhere";
}

/** The quiet last line of every page; pages put their own hints to the left. */
export function PageFooter({ children }: { children?: ReactNode }) {
  return (
    <footer className={styles.footer}>
      <div className={styles.hints}>{children}</div>
      <div className={styles.notCleared}>Not a cleared medical device. Demonstration weights.</div>
    </footer>
  );
}

export function Shell({ me, children }: { me: Me; children: ReactNode }) {
  const [path] = useLocation();
  const [help, setHelp] = useState(false);
  const [desk, setDesk] = useState(false);
  setTimeZone(me.time_zone);

  useEffect(() => startLive(), []);
  useFollowing();
  useKeys("everywhere", {
    help: () => setHelp((shown) => !shown),
    escape: () => {
      if (help) setHelp(false);
      else if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    },
  });

  return (
    <div className={styles.shell}>
      <header className={styles.bar}>
        <Link href="/" className={styles.brand}>
          Firstread
        </Link>
        <nav aria-label="Pages">
          {placesFor(me)
            .filter((place) => !place.department)
            .map((place) => (
              <Link
                key={place.path}
                href={place.path}
                className={styles.place}
                aria-current={isAt(path, place.path) ? "page" : undefined}
              >
                {place.label}
              </Link>
            ))}
          <DepartmentMenu me={me} path={path} />
        </nav>
        <span className={styles.push} />
        <LiveState />
        <Clock zone={me.time_zone} />
        <button
          type="button"
          className={styles.keysButton}
          onClick={() => setHelp(!help)}
          aria-expanded={help}
        >
          ? keys
        </button>
        <UserMenu me={me} onDesk={() => setDesk(true)} />
      </header>
      <DestinationBanner me={me} />
      <DeskBanner me={me} />
      <IdleGuard me={me} />
      <main className={styles.main}>{children}</main>
      {desk && <DeskDialog onClose={() => setDesk(false)} />}
      {help && <HelpSheet page={pageOf(path)} onClose={() => setHelp(false)} />}
    </div>
  );
}

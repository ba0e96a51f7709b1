import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { PageFooter } from "../../app/Shell";
import { hasRole, useMe } from "../../app/session";
import { useLiveInterval } from "../../live/live";
import { useClock } from "../../time/clock";
import { formatTime } from "../../time/dates";
import { personName } from "../../ui/person";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import { AddShift } from "./Forms";
import { Groups } from "./Groups";
import { Handovers } from "./Handovers";
import { ImportCalendar } from "./ImportCalendar";
import { gapsQuery, myShiftsQuery, nowQuery, weekQuery, type Shift } from "./rota";
import { ShiftLine } from "./Shifts";
import { dutyWords, gapWords, spanWords, week } from "./words";
import paper from "../../ui/Paper.module.css";
import styles from "./Rota.module.css";

function People({ title, shifts, none }: { title: string; shifts: readonly Shift[]; none: string }) {
  return (
    <div className={styles.card}>
      <h3>{title}</h3>
      {shifts.length === 0 && <p className={styles.quiet}>{none}</p>}
      <ul>
        {shifts.map((one) => (
          <li key={one.id}>
            <b>{personName(one.person)}</b>
            {one.is_mine && " (you)"} <span className={styles.quiet}>{dutyWords(one)}</span>
            <small>until {formatTime(Date.parse(one.ends_at))}</small>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Now() {
  const now = useQuery({ ...nowQuery, refetchInterval: useLiveInterval() });
  if (now.isPending) return <LoadingRows rows={3} />;
  if (now.isError) return <Failed error={now.error} onRetry={() => void now.refetch()} />;
  const { reading, on_call, uncovered } = now.data;
  return (
    <section aria-label="On duty now">
      {uncovered.map((one) => (
        <p key={one.id} className={`${paper.trouble} ${styles.trouble}`} role="alert">
          <b>! {one.name}</b> has nobody reading now: its studies are shown to everybody before they are due.
        </p>
      ))}
      <div className={styles.cards}>
        <People title="Reading now" shifts={reading} none="No reading shift stands now." />
        <People title="On call now" shifts={on_call} none="Nobody is on call now." />
        <Mine />
      </div>
    </section>
  );
}

function Mine() {
  const mine = useQuery(myShiftsQuery);
  const rows = mine.data?.results ?? [];
  return (
    <div className={styles.card}>
      <h3>My shifts</h3>
      {mine.isError && <Failed error={mine.error} onRetry={() => void mine.refetch()} />}
      {mine.isSuccess && rows.length === 0 && <p className={styles.quiet}>None is planned for you.</p>}
      <ul>
        {rows.slice(0, 6).map((one) => (
          <li key={one.id}>
            {spanWords(one.starts_at, one.ends_at)} <span className={styles.quiet}>{dutyWords(one)}</span>
          </li>
        ))}
      </ul>
      {mine.data && mine.data.count > 6 && (
        <p className={styles.quiet}>and {String(mine.data.count - 6)} later</p>
      )}
    </div>
  );
}

function Week({ mayWrite }: { mayWrite: boolean }) {
  const interval = useLiveInterval();
  const shifts = useQuery({ ...weekQuery, refetchInterval: interval });
  const gaps = useQuery({ ...gapsQuery, refetchInterval: interval });
  const [form, setForm] = useState<"" | "shift" | "import">("");
  const toggle = (which: "shift" | "import") => setForm(form === which ? "" : which);
  // Changes at each full hour, so that the days follow the clock.
  const hour = useClock((now) => Math.floor(now / 3600_000) * 3600_000);
  const failed = shifts.error ?? gaps.error;
  if (failed) return <Failed error={failed} onRetry={() => void shifts.refetch()} />;
  if (!shifts.data || !gaps.data) return <LoadingRows rows={7} />;
  const days = week(shifts.data, gaps.data, hour);
  const nothing = shifts.data.length === 0;
  return (
    <section aria-label="Next seven days">
      <div className={paper.tools}>
        <h2>Next seven days</h2>
        <span />
        <Button component="a" href="/api/rota/export.ics" download="on-call.ics">
          Export .ics
        </Button>
        {mayWrite && (
          <>
            <Button aria-expanded={form === "import"} onClick={() => toggle("import")}>
              {form === "import" ? "Close import" : "Import .ics"}
            </Button>
            <Button aria-expanded={form === "shift"} onClick={() => toggle("shift")}>
              {form === "shift" ? "Close" : "Plan a shift"}
            </Button>
          </>
        )}
      </div>
      {form === "shift" && <AddShift onDone={() => setForm("")} />}
      {form === "import" && <ImportCalendar onDone={() => setForm("")} />}
      {gaps.data.map((one, index) => (
        <p key={index} className={`${paper.trouble} ${styles.trouble}`} data-testid="gap">
          <b>!</b> {gapWords(one)}
        </p>
      ))}
      {nothing ? (
        <Empty title="No shift is planned">
          Nothing is missed without a calendar: every group counts as covered by its readers.{" "}
          {mayWrite
            ? "Plan the first shift or import a calendar file, and gaps are told from then on."
            : "An administrator plans shifts here, and gaps are told from then on."}
        </Empty>
      ) : (
        <div className={styles.week}>
          {days.map((day) => (
            <div key={day.label} className={styles.day}>
              <h3>{day.label}</h3>
              {day.gaps.map((gap, index) => (
                <p key={index} className={`${paper.trouble} ${styles.trouble}`}>
                  <b>!</b> {gapWords(gap)}
                </p>
              ))}
              {day.shifts.length === 0 && <p className={styles.quiet}>no shift</p>}
              <ul>
                {day.shifts.map((one) => (
                  <ShiftLine key={one.id} shift={one} mayWrite={mayWrite} />
                ))}
              </ul>
            </div>
          ))}
        </div>
      )}
    </section>
  );
}

/** Who is on duty, when nobody is, and who reads what. */
export default function RotaPage() {
  const me = useMe();
  const mayWrite = hasRole(me, "pacs_administrator");
  return (
    <>
      <div className={`${paper.page} ${styles.page}`}>
        <h1>Who is on duty?</h1>
        <Now />
        {hasRole(me, "radiologist") && <Handovers />}
        <Week mayWrite={mayWrite} />
        <Groups mayWrite={mayWrite} />
      </div>
      <PageFooter>times are in your own time zone · the end of a shift does not belong to it</PageFooter>
    </>
  );
}

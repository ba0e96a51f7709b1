import { useState } from "react";

import { Curves, LineSample } from "./Curves";
import { Frontier } from "./Frontier";
import type { Result } from "./simulation";
import styles from "./Simulation.module.css";
import { change, GROUPS, interval, minutes, orderWords, percent, type GroupName } from "./words";

const names = Object.keys(GROUPS) as GroupName[];

function Waits({ result, of }: { result: Result; of: GroupName }) {
  return (
    <table className={styles.table} aria-label={`Waiting times, ${GROUPS[of].toLowerCase()}`}>
      <thead>
        <tr>
          <th>Order of the list</th>
          <th>Mean wait</th>
          <th>95 % interval</th>
          <th>Change</th>
          <th>Median</th>
          <th>95th percentile</th>
          <th>Longest</th>
          <th>Past target</th>
        </tr>
      </thead>
      <tbody>
        {result.orderings.map(({ name, words, groups }) => {
          const group = groups[of];
          if (!group) return null;
          return (
            <tr key={name}>
              <th scope="row">
                <LineSample name={name} /> {words}
              </th>
              <td>
                <b>{minutes(group.mean.value)}</b>
              </td>
              <td>{interval(group.mean)}</td>
              <td>{change(group.mean_change?.value)}</td>
              <td>{minutes(group.median)}</td>
              <td>{minutes(group.p95)}</td>
              <td>{minutes(group.longest)}</td>
              <td>{percent(group.breached, 1)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Classes({ result }: { result: Result }) {
  const kinds = Object.keys(result.orderings[0]?.classes ?? {});
  if (kinds.length === 0) return null;
  return (
    <section>
      <h2>Mean wait by class of order</h2>
      <table className={styles.table} aria-label="Mean wait by class of order">
        <thead>
          <tr>
            <th>Class</th>
            <th>Studies</th>
            {result.orderings.map(({ name, words }) => (
              <th key={name}>{words}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {kinds.flatMap((kind) =>
            (["all", "diseased", "others"] as const).map((of) => (
              <tr key={`${kind} ${of}`} className={of === "all" ? undefined : styles.part}>
                <th scope="row">{of === "all" ? orderWords(kind) : GROUPS[of]}</th>
                {result.orderings[0]?.classes[kind]?.[of] ? (
                  <>
                    <td>{result.orderings[0].classes[kind][of].studies.toLocaleString("en-GB")}</td>
                    {result.orderings.map(({ name, classes }) => {
                      const group = classes[kind]?.[of];
                      return (
                        <td key={name}>
                          {group && minutes(group.mean.value)}{" "}
                          <small>{group && change(group.mean_change?.value)}</small>
                        </td>
                      );
                    })}
                  </>
                ) : (
                  <td colSpan={result.orderings.length + 1}>too few in this simulation</td>
                )}
              </tr>
            )),
          )}
        </tbody>
      </table>
    </section>
  );
}

function PushedBack({ result }: { result: Result }) {
  return (
    <section>
      <h2>Who is pushed back</h2>
      <ul className={styles.list}>
        {result.orderings
          .filter(({ name }) => name !== "fifo")
          .map((one) => (
            <li key={one.name}>
              <b>{one.words}</b>: {percent(one.pushed_back)} are read later than first in, first out would
              have, on average by {minutes(one.pushed_back_minutes)}, at most by{" "}
              {minutes(one.pushed_back_longest)}.
            </li>
          ))}
      </ul>
    </section>
  );
}

/** One question a section: who still waits, how long, what it costs the others. */
export function Results({ result }: { result: Result }) {
  const [of, setOf] = useState<GroupName>("diseased");
  const there = names.filter((name) => result.orderings.every(({ groups }) => name in groups));
  const shown = there.includes(of) ? of : "all";
  return (
    <>
      <section>
        <h2>How long do they wait?</h2>
        <div className={styles.groups} role="radiogroup" aria-label="Whose waiting time">
          {there.map((name) => (
            <label key={name}>
              <input type="radio" name="of" checked={shown === name} onChange={() => setOf(name)} />
              {GROUPS[name]}
            </label>
          ))}
        </div>
        <Curves result={result} of={shown} />
        <Waits result={result} of={shown} />
        <p className={styles.quiet}>
          {result.arrivals_per_hour.toFixed(1)} studies an hour, readers busy {percent(result.utilisation)} of
          their time; {result.replications} draws of {result.studies.toLocaleString("en-GB")} studies, the
          same for every order. Change: against first in, first out.
        </p>
      </section>
      <section>
        <h2>What the diseased win, and what it costs others</h2>
        <Frontier result={result} />
      </section>
      <PushedBack result={result} />
      <Classes result={result} />
    </>
  );
}

import type { Group, Result } from "./simulation";
import styles from "./Simulation.module.css";
import { GROUPS, minutes, percent, steps, type GroupName } from "./words";

/** Each ordering has a line of its own by dash as well as by colour. */
export const LOOKS: Record<string, { color: string; dash: string; width: number }> = {
  fifo: { color: "var(--text-quiet)", dash: "2 3", width: 1.5 },
  order: { color: "var(--text-faint)", dash: "8 3 2 3", width: 1.5 },
  strict: { color: "var(--good)", dash: "7 4", width: 1.5 },
  firstread: { color: "var(--accent)", dash: "", width: 2.2 },
};
const PLAIN = { color: "var(--text)", dash: "", width: 1.5 };
export const lookOf = (name: string) => LOOKS[name] ?? PLAIN;

const WIDTH = 640;
const HEIGHT = 300;
const EDGE = { left: 44, right: 12, top: 10, bottom: 40 };

interface Line {
  name: string;
  words: string;
  group: Group;
}

export function LineSample({ name }: { name: string }) {
  const look = lookOf(name);
  return (
    <svg width="34" height="10" aria-hidden="true">
      <line
        x1="1"
        x2="33"
        y1="5"
        y2="5"
        stroke={look.color}
        strokeWidth={look.width}
        strokeDasharray={look.dash}
      />
    </svg>
  );
}

/** Who still waits: the share of a group after each minute, with the band of its 95 % interval. */
export function Curves({ result, of }: { result: Result; of: GroupName }) {
  const lines = result.orderings.flatMap<Line>(({ name, words, groups }) => {
    const group = groups[of];
    return group ? [{ name, words, group }] : [];
  });
  const end = result.minutes.at(-1) ?? 0;
  if (lines.length === 0 || end <= 0) {
    return <p className={styles.quiet}>There was no such study, or nobody waited.</p>;
  }
  const x = (value: number) => EDGE.left + (value / end) * (WIDTH - EDGE.left - EDGE.right);
  const y = (share: number) => HEIGHT - EDGE.bottom - share * (HEIGHT - EDGE.top - EDGE.bottom);
  const at = (index: number) => x(result.minutes[index] ?? 0);
  const path = (shares: readonly number[]) =>
    shares.map((share, index) => `${at(index).toFixed(1)},${y(share).toFixed(1)}`).join(" ");
  const half = Math.floor(result.minutes.length / 8);
  return (
    <figure className={styles.figure}>
      <svg
        viewBox={`0 0 ${String(WIDTH)} ${String(HEIGHT)}`}
        role="img"
        aria-label={`Share of ${GROUPS[of].toLowerCase()} that still waits, by minutes since arrival. ${lines
          .map(
            ({ words, group }) =>
              `${words}: ${percent(group.waiting[half]?.value ?? 0)} after ${minutes(result.minutes[half] ?? 0)}`,
          )
          .join("; ")}.`}
      >
        {steps(1, 4).map((share) => (
          <g key={share}>
            <line
              className={styles.grid}
              x1={EDGE.left}
              x2={WIDTH - EDGE.right}
              y1={y(share)}
              y2={y(share)}
            />
            <text className={styles.tick} x={EDGE.left - 6} y={y(share) + 4} textAnchor="end">
              {percent(share)}
            </text>
          </g>
        ))}
        {steps(end).map((value) => (
          <text
            key={value}
            className={styles.tick}
            x={x(value)}
            y={HEIGHT - EDGE.bottom + 16}
            textAnchor="middle"
          >
            {value}
          </text>
        ))}
        <text className={styles.tick} x={WIDTH - EDGE.right} y={HEIGHT - 6} textAnchor="end">
          minutes since arrival
        </text>
        {lines.map(({ name, group }) => (
          <polygon
            key={name}
            fill={lookOf(name).color}
            opacity={0.18}
            points={`${path(group.waiting.map((one) => Math.max(0, one.low ?? one.value)))} ${path(
              group.waiting.map((one) => Math.min(1, one.high ?? one.value)),
            )
              .split(" ")
              .reverse()
              .join(" ")}`}
          />
        ))}
        {lines.map(({ name, words, group }) => (
          <polyline
            key={name}
            fill="none"
            stroke={lookOf(name).color}
            strokeWidth={lookOf(name).width}
            strokeDasharray={lookOf(name).dash}
            points={path(group.waiting.map((one) => one.value))}
          >
            <title>{words}</title>
          </polyline>
        ))}
      </svg>
      <figcaption className={styles.legend}>
        {lines.map(({ name, words }) => (
          <span key={name}>
            <LineSample name={name} /> {words}
          </span>
        ))}
        <span className={styles.quiet}>Bands: 95 % interval over {result.replications} draws</span>
      </figcaption>
    </figure>
  );
}

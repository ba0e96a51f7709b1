import { lookOf } from "./Curves";
import type { Point, Result } from "./simulation";
import styles from "./Simulation.module.css";
import { change, steps } from "./words";

const WIDTH = 640;
const HEIGHT = 300;
const EDGE = { left: 56, right: 130, top: 30, bottom: 42 };
const HEAD_START = "head-start-";

const short = (point: Point) =>
  point.name.startsWith(HEAD_START) ? `${point.name.slice(HEAD_START.length)} min` : point.words;

/** What the diseased win against what it costs the slowest of the unflagged: lower left is better. */
export function Frontier({ result }: { result: Result }) {
  const points = result.frontier;
  if (points.length === 0) return <p className={styles.quiet}>Without disease there is nothing to win.</p>;
  const won = (point: Point) => -point.diseased_mean_change.value;
  const cost = (point: Point) => point.unflagged_p999_change;
  const least = Math.min(0, ...points.map(won));
  const most = Math.max(0.1, ...points.map(won));
  const low = Math.min(0, ...points.map(cost));
  const high = Math.max(0.1, ...points.map(cost));
  const x = (value: number) =>
    EDGE.left + ((value - least) / (most - least)) * (WIDTH - EDGE.left - EDGE.right);
  const y = (value: number) =>
    HEIGHT - EDGE.bottom - ((value - low) / (high - low)) * (HEIGHT - EDGE.top - EDGE.bottom);
  const family = points.filter((one) => one.name.startsWith(HEAD_START));
  return (
    <figure className={styles.figure}>
      <svg
        viewBox={`0 0 ${String(WIDTH)} ${String(HEIGHT)}`}
        role="img"
        aria-label={`Trade-off. ${points
          .map(
            (one) =>
              `${one.words}: diseased ${change(one.diseased_mean_change.value)} mean wait, ` +
              `slowest unflagged ${change(cost(one))}`,
          )
          .join("; ")}.`}
      >
        {steps(high, 4).map((value) => (
          <g key={value}>
            <line
              className={styles.grid}
              x1={EDGE.left}
              x2={WIDTH - EDGE.right}
              y1={y(value)}
              y2={y(value)}
            />
            <text className={styles.tick} x={EDGE.left - 6} y={y(value) + 4} textAnchor="end">
              {change(value)}
            </text>
          </g>
        ))}
        {steps(most, 6).map((value) => (
          <text
            key={value}
            className={styles.tick}
            x={x(value)}
            y={HEIGHT - EDGE.bottom + 16}
            textAnchor="middle"
          >
            {change(-value)}
          </text>
        ))}
        <text className={styles.tick} x={WIDTH - EDGE.right} y={HEIGHT - 8} textAnchor="end">
          diseased, mean wait against first in, first out →
        </text>
        <polyline
          className={styles.frontier}
          points={family.map((one) => `${x(won(one)).toFixed(1)},${y(cost(one)).toFixed(1)}`).join(" ")}
        />
        {points.map((one) => {
          const mean = one.diseased_mean_change;
          const ours = !one.name.startsWith(HEAD_START);
          const color = ours ? lookOf(one.name).color : "var(--text-quiet)";
          const left = x(won(one));
          const top = y(cost(one));
          return (
            <g key={one.name}>
              <title>{`${one.words}: diseased ${change(mean.value)}, slowest unflagged ${change(cost(one))}`}</title>
              {mean.low !== null && mean.high !== null && (
                <line x1={x(-mean.high)} x2={x(-mean.low)} y1={top} y2={top} stroke={color} opacity={0.6} />
              )}
              {ours ? (
                <rect
                  x={left - 5}
                  y={top - 5}
                  width="10"
                  height="10"
                  fill={color}
                  transform={`rotate(45 ${String(left)} ${String(top)})`}
                />
              ) : (
                <circle cx={left} cy={top} r="3.5" fill={color} />
              )}
              <text className={ours ? styles.named : styles.tick} x={left + 9} y={ours ? top - 7 : top + 12}>
                {short(one)}
              </text>
            </g>
          );
        })}
      </svg>
      <figcaption className={styles.quiet}>
        Upwards: how much longer the slowest of the unflagged wait (99.9th percentile). Dots: first in, first
        out, where a flag counts as if the study had come so many minutes earlier. Diamonds: the orders above.
      </figcaption>
    </figure>
  );
}

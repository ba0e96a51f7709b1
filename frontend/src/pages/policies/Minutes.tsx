import type { PolicyDocument, PolicyTrouble } from "../../api/types";
import { CLASSES } from "../pushedback/words";
import { CRITICALITIES, LOCATION_WORDS, LOCATIONS, PRIORITIES, withMinutes } from "./words";
import styles from "./Policies.module.css";

interface Props {
  policy: PolicyDocument;
  /** Without it the table is to read only. */
  onChange?: (next: PolicyDocument) => void;
  troubles?: readonly PolicyTrouble[];
}

/** All minutes of a policy as a table; a wrong one says what would do, beside its field. */
export function Minutes({ policy, onChange, troubles = [] }: Props) {
  const cell = (path: string, label: string, value: number | undefined, optional = false) => {
    const wrong = troubles.filter((one) => one.field === path).map((one) => one.message);
    if (!onChange) return value ?? "–";
    const id = `trouble-${path}`;
    return (
      <>
        <input
          type="number"
          min={1}
          aria-label={label}
          aria-invalid={wrong.length > 0}
          aria-describedby={wrong.length > 0 ? id : undefined}
          placeholder={optional ? "none" : undefined}
          value={value ?? ""}
          onChange={(event) => {
            const text = event.currentTarget.value;
            onChange(withMinutes(policy, path, text === "" ? (optional ? null : 0) : Number(text)));
          }}
        />
        {wrong.length > 0 && (
          <small id={id} role="alert">
            {wrong.join(" ")}
          </small>
        )}
      </>
    );
  };
  return (
    <>
      <table className={styles.table} aria-label="Minutes from arrival to reading">
        <thead>
          <tr>
            <th>minutes</th>
            {LOCATIONS.map((location) => (
              <th key={location}>{LOCATION_WORDS[location]}</th>
            ))}
            <th>never longer than</th>
          </tr>
        </thead>
        <tbody>
          {PRIORITIES.map((priority) => (
            <tr key={priority}>
              <th scope="row">{CLASSES[priority]}</th>
              {LOCATIONS.map((location) => (
                <td key={location}>
                  {cell(
                    `target_minutes.${priority}.${location}`,
                    `${CLASSES[priority]}, ${LOCATION_WORDS[location]}`,
                    policy.target_minutes[priority][location],
                  )}
                </td>
              ))}
              <td>
                {cell(
                  `maximum_wait_minutes.${priority}`,
                  `${CLASSES[priority]}, never longer than`,
                  policy.maximum_wait_minutes[priority],
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <table className={styles.table} aria-label="Minutes of findings and without an order">
        <thead>
          <tr>
            {CRITICALITIES.map((one) => (
              <th key={one}>{one} finding</th>
            ))}
            <th>no order</th>
          </tr>
        </thead>
        <tbody>
          <tr>
            {CRITICALITIES.map((one) => (
              <td key={one}>
                {cell(`finding_minutes.${one}`, `${one} finding`, policy.finding_minutes[one], true)}
              </td>
            ))}
            <td>{cell("minutes_without_order", "no order", policy.minutes_without_order)}</td>
          </tr>
        </tbody>
      </table>
    </>
  );
}

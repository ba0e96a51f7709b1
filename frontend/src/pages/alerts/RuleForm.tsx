import { Button } from "@mantine/core";

import type { PolicyRule, PolicyRung } from "../../api/types";
import styles from "./Alerts.module.css";

type Group = PolicyRung["who"][number]["group"];
type Channel = PolicyRung["channels"][number];

const CHANNELS: readonly Channel[] = ["page", "push", "email", "sms", "webhook"];
const GROUPS: Record<Exclude<Group, "on_call">, string> = {
  department: "the patient’s department",
  er: "the whole ER",
  readers: "all radiologists",
};
const LOCATIONS: readonly PolicyRule["locations"][number][] = ["er", "icu", "inpatient", "outpatient"];

/** Words between commas; blanks and empty ones fall away. */
export function split(text: string): string[] {
  return text
    .split(",")
    .map((one) => one.trim())
    .filter(Boolean);
}

export function toggled<T>(list: readonly T[], one: T, on: boolean): T[] {
  return on ? [...list.filter((other) => other !== one), one] : list.filter((other) => other !== one);
}

interface RungProps {
  number: number;
  rung: PolicyRung;
  fixed: boolean;
  onChange: (rung: PolicyRung) => void;
  onRemove: () => void;
}

function RungForm({ number, rung, fixed, onChange, onRemove }: RungProps) {
  const has = (group: Group) => rung.who.some((one) => one.group === group);
  const position = rung.who.find((one) => one.group === "on_call")?.position ?? 0;
  const others = rung.who.filter((one) => one.group !== "on_call");
  return (
    <fieldset className={styles.rung}>
      <legend>
        {fixed ? "Last rung, repeated" : `Rung ${String(number)}`}
        {!fixed && (
          <Button size="xs" aria-label={`Remove rung ${String(number)}`} onClick={onRemove}>
            Remove
          </Button>
        )}
      </legend>
      <span>
        Tell{" "}
        {(Object.keys(GROUPS) as (keyof typeof GROUPS)[]).map((group) => (
          <label key={group}>
            <input
              type="checkbox"
              checked={has(group)}
              disabled={fixed && group !== "department"}
              onChange={(event) =>
                onChange({
                  ...rung,
                  who: event.currentTarget.checked
                    ? [...rung.who, { group }]
                    : rung.who.filter((one) => one.group !== group),
                })
              }
            />
            {GROUPS[group]}
          </label>
        ))}
        <label>
          on call, position{" "}
          <select
            value={position}
            onChange={(event) => {
              const chosen = Number(event.currentTarget.value);
              onChange({
                ...rung,
                who: chosen ? [...others, { group: "on_call", position: chosen }] : others,
              });
            }}
          >
            <option value={0}>nobody</option>
            {[1, 2, 3, 4].map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
      </span>
      <span>
        by{" "}
        {CHANNELS.map((channel) => (
          <label key={channel}>
            <input
              type="checkbox"
              checked={rung.channels.includes(channel)}
              disabled={fixed && channel === "page"}
              onChange={(event) =>
                onChange({ ...rung, channels: toggled(rung.channels, channel, event.currentTarget.checked) })
              }
            />
            {channel}
          </label>
        ))}
      </span>
      <label>
        {fixed ? "again every" : "next rung after"}{" "}
        <input
          type="number"
          min={15}
          max={3600}
          value={rung.seconds}
          onChange={(event) => onChange({ ...rung, seconds: Number(event.currentTarget.value) })}
        />{" "}
        seconds
      </label>
    </fieldset>
  );
}

interface Props {
  rule: PolicyRule;
  /** The last rule takes every alert, so it asks for nothing. */
  last: boolean;
  onChange: (rule: PolicyRule) => void;
  onRemove: () => void;
}

/** One rule of the policy: which alerts it takes, and its ladder. */
export function RuleForm({ rule, last, onChange, onRemove }: Props) {
  return (
    <fieldset className={styles.rule} data-testid="policy-rule">
      <legend>
        <input
          aria-label="Name of the rule"
          maxLength={80}
          value={rule.name}
          onChange={(event) => onChange({ ...rule, name: event.currentTarget.value })}
        />
        {!last && (
          <Button size="xs" aria-label={`Remove rule ${rule.name}`} onClick={onRemove}>
            Remove
          </Button>
        )}
      </legend>
      {last ? (
        <p className={styles.quiet}>Takes every alert that no rule before it took.</p>
      ) : (
        <div className={styles.asked}>
          <label>
            Finding codes, empty: all
            <input
              key={rule.finding_codes.join(",")}
              placeholder="1386000"
              defaultValue={rule.finding_codes.join(", ")}
              onBlur={(event) => onChange({ ...rule, finding_codes: split(event.currentTarget.value) })}
            />
          </label>
          <label>
            Departments, empty: all
            <input
              key={rule.departments.join(",")}
              placeholder="ER, ICU"
              defaultValue={rule.departments.join(", ")}
              onBlur={(event) => onChange({ ...rule, departments: split(event.currentTarget.value) })}
            />
          </label>
          <span>
            Locations, none: all{" "}
            {LOCATIONS.map((one) => (
              <label key={one}>
                <input
                  type="checkbox"
                  checked={rule.locations.includes(one)}
                  onChange={(event) =>
                    onChange({
                      ...rule,
                      locations: toggled(rule.locations, one, event.currentTarget.checked),
                    })
                  }
                />
                {one}
              </label>
            ))}
          </span>
        </div>
      )}
      {rule.rungs.map((rung, index) => (
        <RungForm
          key={index}
          number={index + 1}
          rung={rung}
          fixed={index === rule.rungs.length - 1}
          onChange={(next) =>
            onChange({ ...rule, rungs: rule.rungs.map((one, at) => (at === index ? next : one)) })
          }
          onRemove={() => onChange({ ...rule, rungs: rule.rungs.filter((_, at) => at !== index) })}
        />
      ))}
      <Button
        size="xs"
        onClick={() => {
          const before = rule.rungs.slice(0, -1);
          const final = rule.rungs.slice(-1);
          const made: PolicyRung = {
            who: [{ group: "on_call", position: 1 }],
            channels: ["page", "push"],
            seconds: 120,
          };
          onChange({ ...rule, rungs: [...before, made, ...final] });
        }}
      >
        Add a rung before the last
      </Button>
    </fieldset>
  );
}

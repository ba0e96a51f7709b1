import { Popover } from "@mantine/core";
import type { ReactNode } from "react";

import type { Me, WorklistItem } from "../../api/types";
import { useClock } from "../../time/clock";
import { patientName } from "../../ui/person";
import { AssignForm, FlagForm, HoldForm, RaiseForm, ReasonForm } from "./ActionForms";
import styles from "./Actions.module.css";
import { actionLabel, ACTIONS, whyNot, type ActionName } from "./offered";
import type { Acts } from "./useActions";

export type Asked = ActionName | "menu";

interface Props {
  asked: Asked;
  item: WorklistItem;
  me: Me;
  acts: Acts;
  /** Chosen in the menu. */
  onAsk: (name: ActionName) => void;
  onClose: () => void;
}

const minute = (now: number) => Math.floor(now / 60_000) * 60_000;

/** A small form beside the row; the list under it stays where it is and goes on living. */
export function ActionPopover({ asked, item, me, acts, onAsk, onClose }: Props) {
  const now = useClock(minute);
  const row = document.getElementById(`row-${item.study_instance_uid}`)?.getBoundingClientRect();
  const left = row ? row.left + row.width * 0.55 : window.innerWidth / 2;
  const finish = () => onClose();
  const forms: Record<Asked, ReactNode> = {
    menu: (
      <ul className={styles.menu}>
        {ACTIONS.map(({ name, key }, index) => {
          const refusal = whyNot(name, item, now);
          return (
            <li key={name}>
              <button
                type="button"
                data-autofocus={index === 0 || undefined}
                disabled={refusal !== ""}
                title={refusal}
                onClick={() => onAsk(name)}
                onKeyDown={(event) => moveFocus(event)}
              >
                {actionLabel(name, item)} <kbd>{key}</kbd>
              </button>
            </li>
          );
        })}
      </ul>
    ),
    assign: (
      <AssignForm
        item={item}
        me={me}
        onAssign={(to) => void acts.assign(item, to)}
        onNobody={() => void acts.unassign(item)}
        onDone={finish}
      />
    ),
    hold: <HoldForm item={item} now={now} onHold={(body) => void acts.hold(item, body)} onDone={finish} />,
    raise: (
      <RaiseForm item={item} onRaise={(to, reason) => void acts.raise(item, to, reason)} onDone={finish} />
    ),
    decline: (
      <ReasonForm
        button="Decline"
        hint="Others see the reason. It is not offered to you again for 2 h."
        onReason={(reason) => void acts.decline(item, reason)}
        onDone={finish}
      />
    ),
    takeOver: (
      <ReasonForm
        button="Take over"
        hint="The holder is told at once and reads only from then on; their draft stays in the report."
        onReason={(reason) => void acts.takeOver(item, reason)}
        onDone={finish}
      />
    ),
    flag: (
      <FlagForm
        item={item}
        onFlag={(kind, note) => void acts.flag(item, kind, note)}
        onUnflag={(kind) => void acts.unflag(item, kind)}
        onDone={finish}
      />
    ),
  };
  const title = asked === "menu" ? "Actions" : actionLabel(asked, item);
  return (
    <Popover
      opened
      onChange={(open) => !open && onClose()}
      position="bottom-start"
      offset={2}
      width={300}
      trapFocus
      returnFocus
      withinPortal
      transitionProps={{ duration: 0 }}
    >
      <Popover.Target>
        <span
          className={styles.anchor}
          style={{ left, top: row?.top ?? 120, height: row?.height ?? 36 }}
          aria-hidden="true"
        />
      </Popover.Target>
      <Popover.Dropdown className={styles.dropdown} data-testid="action-popover" aria-label={title}>
        <h2 className={styles.title}>
          {title} <small>{patientName(item.patient.name)}</small>
        </h2>
        {forms[asked]}
      </Popover.Dropdown>
    </Popover>
  );
}

function moveFocus(event: React.KeyboardEvent<HTMLButtonElement>) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  const all = [...(event.currentTarget.closest("ul")?.querySelectorAll("button") ?? [])].filter(
    (one) => !one.disabled,
  );
  all[(all.indexOf(event.currentTarget) + by + all.length) % all.length]?.focus();
}

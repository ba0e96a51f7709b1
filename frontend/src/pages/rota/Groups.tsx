import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { personName } from "../../ui/person";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import { EditGroup, useAction } from "./Forms";
import { groupsQuery, peopleQuery, rotaApi, type Group } from "./rota";
import paper from "../../ui/Paper.module.css";
import styles from "./Rota.module.css";

function ruleWords(group: Group): string {
  const lists = [group.modalities, group.body_parts, group.institutions, group.location_classes];
  const asked = lists.filter((one) => one.length > 0).map((one) => one.join(" or "));
  return asked.length > 0 ? asked.join(", ") : "every study";
}

function Members({ group }: { group: Group }) {
  const { said, run } = useAction();
  const people = useQuery(peopleQuery("reading"));
  const free = (people.data ?? []).filter(
    (one) => !group.members.some((member) => member.username === one.username),
  );
  return (
    <span className={`${paper.actions} ${styles.actions}`}>
      {group.members.map((one) => (
        <Button
          key={one.username}
          aria-label={`Take ${personName(one)} out of ${group.name}`}
          title="Take out of the group"
          onClick={() => void run(() => rotaApi.removeMember(group.id, one.username))}
        >
          {personName(one)} ✕
        </Button>
      ))}
      <select
        aria-label={`Add a reader to ${group.name}`}
        value=""
        onChange={(event) => {
          const username = event.currentTarget.value;
          if (username) void run(() => rotaApi.addMember(group.id, username));
        }}
      >
        <option value="">add a reader…</option>
        {free.map((one) => (
          <option key={one.username} value={one.username}>
            {personName(one)}
          </option>
        ))}
      </select>
      {said && <span role="alert">{said}</span>}
    </span>
  );
}

function Row({ group, mayWrite }: { group: Group; mayWrite: boolean }) {
  const [editing, setEditing] = useState(false);
  const { said, run } = useAction();
  return (
    <>
      <tr data-testid="group-row">
        <td>
          {group.name}
          <small>
            {group.mine && "you read for it"}
            {!group.active && "closed"}
            {group.description}
          </small>
        </td>
        <td>{ruleWords(group)}</td>
        <td>
          {mayWrite && group.active ? (
            <Members group={group} />
          ) : (
            group.members.map(personName).join(", ") || "nobody yet"
          )}
        </td>
        <td>{String(group.share_before_minutes)} min before they are due</td>
        {mayWrite && (
          <td>
            <span className={`${paper.actions} ${styles.actions}`}>
              <Button
                aria-expanded={editing}
                aria-label={`Change ${group.name}`}
                onClick={() => setEditing(!editing)}
              >
                Change
              </Button>
              <Button
                aria-label={`${group.active ? "Close" : "Open"} ${group.name}`}
                onClick={() => void run(() => rotaApi.changeGroup(group.id, { active: !group.active }))}
              >
                {group.active ? "Close" : "Open again"}
              </Button>
              {said && <span role="alert">{said}</span>}
            </span>
          </td>
        )}
      </tr>
      {editing && (
        <tr>
          <td colSpan={5}>
            <EditGroup group={group} onDone={() => setEditing(false)} />
          </td>
        </tr>
      )}
    </>
  );
}

/** Who reads what: the groups, their rules and readers. */
export function Groups({ mayWrite }: { mayWrite: boolean }) {
  const groups = useQuery(groupsQuery);
  const [adding, setAdding] = useState(false);
  if (groups.isPending) return <LoadingRows rows={3} />;
  if (groups.isError) return <Failed error={groups.error} onRetry={() => void groups.refetch()} />;
  return (
    <section aria-label="Groups">
      <div className={paper.tools}>
        <h2>Groups</h2>
        <span />
        {mayWrite && (
          <Button aria-expanded={adding} onClick={() => setAdding(!adding)}>
            {adding ? "Close" : "Add a group"}
          </Button>
        )}
      </div>
      {adding && <EditGroup onDone={() => setAdding(false)} />}
      {groups.data.length === 0 ? (
        <Empty title="Everybody reads everything">
          That works without groups. Where readers share the work by subspecialty, site or body part,{" "}
          {mayWrite ? "add a group" : "ask an administrator for a group"}: its studies are its readers' first,
          and everybody's before they are due when none of them is on duty.
        </Empty>
      ) : (
        <table className={paper.table} aria-label="Groups of readers">
          <thead>
            <tr>
              <th>group</th>
              <th>takes</th>
              <th>readers</th>
              <th>shared when uncovered</th>
              {mayWrite && <th aria-label="actions" />}
            </tr>
          </thead>
          <tbody>
            {groups.data.map((one) => (
              <Row key={one.id} group={one} mayWrite={mayWrite} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

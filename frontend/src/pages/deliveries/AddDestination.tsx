import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { explain } from "../../api/client";
import { api, nodesQuery } from "../../api/queries";
import type { NewDestination } from "../../api/types";
import { KINDS } from "./words";
import paper from "../../ui/Paper.module.css";

type Kind = NewDestination["kind"];

const text = (form: FormData, name: string) => {
  const value = form.get(name);
  return typeof value === "string" ? value.trim() : "";
};

/** What a form says, as the API takes it; only the fields of its kind. */
export function destinationOf(form: FormData): NewDestination {
  const kind = text(form, "kind") as Kind;
  const made: NewDestination = {
    name: text(form, "name"),
    kind,
    modalities: text(form, "modalities")
      .toUpperCase()
      .split(/[\s,]+/)
      .filter(Boolean),
    location_classes: form.getAll("location") as NewDestination["location_classes"],
  };
  if (kind === "hl7") {
    return {
      ...made,
      host: text(form, "host"),
      port: Number(text(form, "port")),
      tls: form.get("tls") === "on",
      sending_application: text(form, "sending_application"),
      sending_facility: text(form, "sending_facility"),
      receiving_application: text(form, "receiving_application"),
      receiving_facility: text(form, "receiving_facility"),
    };
  }
  if (kind === "dicom") return { ...made, node: Number(text(form, "node")) };
  return {
    ...made,
    url: text(form, "url"),
    secret: text(form, "secret"),
    content: text(form, "content") as NewDestination["content"],
  };
}

function Field({ name, label, ...more }: { name: string; label: string } & React.ComponentProps<"input">) {
  return (
    <label>
      {label}
      <input type="text" name={name} autoComplete="off" {...more} />
    </label>
  );
}

/** The form for a new destination; asks for what its kind needs. */
export function AddDestination({ onDone }: { onDone: () => void }) {
  const client = useQueryClient();
  const [kind, setKind] = useState<Kind>("hl7");
  const [error, setError] = useState("");
  const nodes = useQuery({ ...nodesQuery, enabled: kind === "dicom" });

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setError("");
    try {
      await api.addDestination(destinationOf(new FormData(event.currentTarget)));
      void client.invalidateQueries({ queryKey: ["reports"] });
      onDone();
    } catch (problem) {
      setError(explain(problem));
    }
  };

  return (
    <form onSubmit={(event) => void submit(event)} aria-label="New destination">
      <div className={paper.form}>
        <Field name="name" label="Name" required maxLength={80} autoFocus />
        <label>
          How it takes reports
          <select name="kind" value={kind} onChange={(event) => setKind(event.currentTarget.value as Kind)}>
            {Object.entries(KINDS).map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <Field name="modalities" label="Only these modalities (empty: all)" placeholder="CT MR" />
        <div>
          <label id="only-from">Only patients from (none ticked: all)</label>
          <span role="group" aria-labelledby="only-from" className={paper.actions}>
            {["er", "icu", "inpatient", "outpatient"].map((one) => (
              <label key={one}>
                <input type="checkbox" name="location" value={one} /> {one}
              </label>
            ))}
          </span>
        </div>
        {kind === "hl7" && (
          <>
            <Field name="host" label="Host" required />
            <Field name="port" label="Port" required type="number" min={1} max={65535} defaultValue={2575} />
            <Field name="receiving_application" label="Receiving application (MSH-5)" />
            <Field name="receiving_facility" label="Receiving facility (MSH-6)" />
            <Field name="sending_application" label="Sending application (MSH-3)" placeholder="FIRSTREAD" />
            <Field name="sending_facility" label="Sending facility (MSH-4)" />
            <label>
              <input type="checkbox" name="tls" /> Encrypted (TLS)
            </label>
          </>
        )}
        {kind === "dicom" && (
          <label>
            Registered node
            <select name="node" required>
              {(nodes.data?.results ?? []).map((node) => (
                <option key={node.id} value={node.id}>
                  {node.name} ({node.ae_title})
                </option>
              ))}
            </select>
          </label>
        )}
        {kind === "fhir-webhook" && (
          <>
            <Field name="url" label="Address" required type="url" placeholder="https://…" />
            <Field
              name="secret"
              label="Secret, 16 characters or more; not shown again"
              required
              type="password"
              minLength={16}
              autoComplete="new-password"
            />
            <label>
              What it is told
              <select name="content">
                <option value="reference">The report&apos;s address only</option>
                <option value="resource">The whole report</option>
              </select>
            </label>
          </>
        )}
      </div>
      <span className={paper.actions}>
        <Button type="submit" variant="filled">
          Add
        </Button>
        {error && <span role="alert">{error}</span>}
      </span>
    </form>
  );
}

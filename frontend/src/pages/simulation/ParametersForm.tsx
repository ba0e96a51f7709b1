import { Button } from "@mantine/core";
import { useId, useState, type FormEvent } from "react";

import { explain } from "../../api/client";
import { LOCATIONS, PRIORITIES } from "../worklist/words";
import { simulationApi, type Parameters } from "./simulation";
import styles from "./Simulation.module.css";
import { percent } from "./words";

type Share = Parameters["classes"][number];

interface SliderProps {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  say: (value: number) => string;
  onChange: (value: number) => void;
}

function Slider({ label, value, min, max, step, say, onChange }: SliderProps) {
  const id = useId();
  return (
    <div className={styles.slider}>
      <label htmlFor={id}>{label}</label>
      <output htmlFor={id}>{say(value)}</output>
      <input
        id={id}
        type="range"
        // Figures from the log may lie outside what the slider offers.
        min={Math.min(min, value)}
        max={Math.max(max, value)}
        step={step}
        value={value}
        aria-valuetext={say(value)}
        onChange={(event) => onChange(event.currentTarget.valueAsNumber)}
      />
    </div>
  );
}

function Mix({ classes, onChange }: { classes: readonly Share[]; onChange: (next: Share[]) => void }) {
  const set = (index: number, values: Partial<Share>) =>
    onChange(classes.map((one, at) => (at === index ? { ...one, ...values } : one)));
  return (
    <fieldset className={styles.mix}>
      <legend>Mix of orders</legend>
      {classes.map((one, index) => (
        <div key={index}>
          <select
            aria-label="Priority"
            value={one.priority}
            onChange={(event) => set(index, { priority: event.currentTarget.value as Share["priority"] })}
          >
            {Object.entries(PRIORITIES).map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
          <select
            aria-label="From"
            value={one.location}
            onChange={(event) => set(index, { location: event.currentTarget.value as Share["location"] })}
          >
            {Object.entries(LOCATIONS).map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
          <input
            aria-label="Share"
            type="number"
            min="0.0001"
            step="any"
            required
            value={Number.isNaN(one.share) ? "" : one.share}
            onChange={(event) => set(index, { share: event.currentTarget.valueAsNumber })}
          />
          {classes.length > 1 && (
            <button
              type="button"
              aria-label={`Leave out ${PRIORITIES[one.priority]}, ${LOCATIONS[one.location]}`}
              onClick={() => onChange(classes.filter((_, at) => at !== index))}
            >
              ×
            </button>
          )}
        </div>
      ))}
      {classes.length < 12 && (
        <button
          type="button"
          className={styles.quietButton}
          onClick={() => onChange([...classes, { priority: "stat", location: "er", share: 1 }])}
        >
          Add a class
        </button>
      )}
    </fieldset>
  );
}

interface Props {
  /** What the form begins with. */
  from: Parameters;
  busy: boolean;
  /** Why the last one could not be asked for. */
  said: string;
  onRun: (name: string, parameters: Parameters) => void;
}

/** A department as sliders. */
export function ParametersForm({ from, busy, said, onRun }: Props) {
  const [values, setValues] = useState(from);
  const [name, setName] = useState("");
  const [notes, setNotes] = useState<readonly string[]>([]);
  const [failed, setFailed] = useState("");
  const set = (some: Partial<Parameters>) => setValues((old) => ({ ...old, ...some }));
  const share = (value: number) => percent(value);

  const takeLog = async () => {
    setFailed("");
    try {
      const found = await simulationApi.fromLog();
      setValues(found.parameters);
      setNotes(found.notes);
      setName((old) => old || "As our own log");
    } catch (error) {
      setFailed(explain(error));
    }
  };

  const submit = (event: FormEvent) => {
    event.preventDefault();
    onRun(name, values);
  };

  const { load, arrivals_per_hour: arrivals } = values;
  return (
    <form className={styles.form} aria-label="Department" onSubmit={submit}>
      <h2>Department</h2>
      <Button variant="default" onClick={() => void takeLog()}>
        Use this site&apos;s own figures
      </Button>
      {failed && <p role="alert">{failed}</p>}
      {notes.length > 0 && (
        <ul className={styles.notes} aria-label="Where the figures come from">
          {notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
      <div className={styles.either} role="radiogroup" aria-label="How busy">
        <label>
          <input
            type="radio"
            checked={arrivals === null}
            onChange={() => set({ load: 0.8, arrivals_per_hour: null })}
          />
          Load
        </label>
        <label>
          <input
            type="radio"
            checked={arrivals !== null}
            onChange={() => set({ load: null, arrivals_per_hour: 5 })}
          />
          Studies an hour
        </label>
      </div>
      {arrivals === null ? (
        <Slider
          label="Load: readers' time that reading takes"
          value={load ?? 0.8}
          min={0.3}
          max={0.97}
          step={0.01}
          say={share}
          onChange={(value) => set({ load: value })}
        />
      ) : (
        <Slider
          label="Studies an hour"
          value={arrivals}
          min={0.5}
          max={60}
          step={0.5}
          say={(value) => value.toFixed(1)}
          onChange={(value) => set({ arrivals_per_hour: value })}
        />
      )}
      <Slider
        label="Readers at one list"
        value={values.readers}
        min={1}
        max={20}
        step={1}
        say={String}
        onChange={(readers) => set({ readers })}
      />
      <Slider
        label="Minutes to read a study"
        value={values.read_minutes}
        min={1}
        max={60}
        step={0.5}
        say={(value) => value.toFixed(1)}
        onChange={(read_minutes) => set({ read_minutes })}
      />
      <label className={styles.check}>
        <input
          type="checkbox"
          checked={values.read_shape === "lognormal"}
          onChange={(event) => set({ read_shape: event.currentTarget.checked ? "lognormal" : "exponential" })}
        />
        Few very short and very long reads (lognormal)
      </label>
      <Slider
        label="Prevalence"
        value={values.prevalence}
        min={0}
        max={0.5}
        step={0.005}
        say={(value) => percent(value, 1)}
        onChange={(prevalence) => set({ prevalence })}
      />
      <Slider
        label="AI's sensitivity"
        value={values.sensitivity}
        min={0.5}
        max={1}
        step={0.01}
        say={share}
        onChange={(sensitivity) => set({ sensitivity })}
      />
      <Slider
        label="AI's specificity"
        value={values.specificity}
        min={0.5}
        max={1}
        step={0.01}
        say={share}
        onChange={(specificity) => set({ specificity })}
      />
      <Slider
        label="AI answers after"
        value={values.ai_delay_minutes}
        min={0}
        max={60}
        step={0.5}
        say={(value) => `${value.toFixed(1)} min`}
        onChange={(ai_delay_minutes) => set({ ai_delay_minutes })}
      />
      <Mix classes={values.classes} onChange={(classes) => set({ classes })} />
      <Slider
        label="Studies in a draw"
        value={values.studies}
        min={1000}
        max={40_000}
        step={1000}
        say={(value) => value.toLocaleString("en-GB")}
        onChange={(studies) => set({ studies })}
      />
      <label className={styles.name}>
        Name
        <input
          type="text"
          maxLength={120}
          value={name}
          placeholder="Nights, two readers"
          onChange={(event) => setName(event.currentTarget.value)}
        />
      </label>
      {said && (
        <p className={styles.said} role="alert">
          {said}
        </p>
      )}
      <Button type="submit" loading={busy}>
        Simulate
      </Button>
    </form>
  );
}

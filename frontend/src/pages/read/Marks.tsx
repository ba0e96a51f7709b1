import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { explain } from "../../api/client";
import { api, keyImagesQuery, measurementsQuery } from "../../api/queries";
import type { KeyImage, Measurement } from "../../api/types";
import { Icon } from "../../ui/icons";
import { personName } from "../../ui/person";
import type { Drawing, Shown } from "./bridge";
import styles from "./Marks.module.css";

/** What readers drew and marked on this study, and how the page keeps more of it. */
export interface Marks {
  measurements: readonly Measurement[];
  keyImages: readonly KeyImage[];
  /** Drawn on the images now and not kept yet, the latest last. */
  open: readonly Drawing[];
  problem: string;
  keep: (drawing: Drawing | undefined) => Promise<void>;
  mark: () => Promise<void>;
  unmark: (key: KeyImage) => Promise<void>;
}

const NOTHING: readonly never[] = [];

/** One drawing at one place: moving it makes it another one to keep. */
export function placeOf(drawing: Drawing): string {
  return JSON.stringify([drawing.uid, drawing.sopInstanceUID, drawing.frame, drawing.points]);
}

interface Options {
  uid: string;
  drawings: readonly Drawing[];
  shown: Shown | null;
  /** Takes a sentence into the draft; null while there is none to write in. */
  insert: ((sentence: string) => void) | null;
}

export function useMarks({ uid, drawings, shown, insert }: Options): Marks {
  const client = useQueryClient();
  const measurements = useQuery(measurementsQuery(uid)).data ?? NOTHING;
  const keyImages = useQuery(keyImagesQuery(uid)).data ?? NOTHING;
  const [kept, setKept] = useState<ReadonlySet<string>>(new Set());
  const [problem, setProblem] = useState("");
  const mine = drawings.filter((one) => one.studyInstanceUID === uid);
  const open = mine.filter((one) => !kept.has(placeOf(one)));

  const run = async (action: () => Promise<unknown>) => {
    setProblem("");
    try {
      await action();
      await client.invalidateQueries({ queryKey: ["worklist", "marks", uid] });
    } catch (error) {
      setProblem(explain(error));
    }
  };

  return {
    measurements,
    keyImages,
    open,
    problem,
    keep: async (drawing) => {
      if (!drawing) {
        setProblem("Draw a length, an angle or an ellipse first; then M keeps it.");
        return;
      }
      await run(async () => {
        const made = await api.keepMeasurement(uid, drawing);
        setKept((known) => new Set(known).add(placeOf(drawing)));
        insert?.(made.sentence);
      });
    },
    mark: async () => {
      if (shown?.studyInstanceUID !== uid) {
        setProblem("No image of this study is on screen: nothing to mark.");
        return;
      }
      await run(() => api.markKeyImage(uid, shown.sopInstanceUID, shown.frame ?? 1));
    },
    unmark: (key) => run(() => api.unmarkKeyImage(uid, key.id)),
  };
}

interface Props {
  marks: Marks;
  mayMark: boolean;
  onJump: (place: { sop_instance_uid: string; series_instance_uid: string }) => void;
}

const KINDS = { length: "Length", angle: "Angle", ellipse: "Ellipse" } as const;

/** Key images and measurements of the study; each leads back to its image. */
export function MarksPanel({ marks, mayMark, onJump }: Props) {
  const { measurements, keyImages, open, problem } = marks;
  if (!mayMark && measurements.length + keyImages.length === 0) return null;
  return (
    <section className={styles.panel} aria-label="Measurements and key images" data-testid="marks">
      <header>
        <h2>Measurements and key images</h2>
        {mayMark && (
          <Button data-testid="mark-key-image" onClick={() => void marks.mark()} title="Key image (K)">
            Key image
          </Button>
        )}
      </header>
      {measurements.length + keyImages.length + open.length === 0 && (
        <p className={styles.quiet}>Draw on the images, then M keeps it; K marks the image on screen.</p>
      )}
      <ul className={styles.list}>
        {mayMark &&
          open.map((drawing) => (
            <li key={drawing.uid} data-testid="open-measurement">
              <span>{KINDS[drawing.kind]}, not kept yet</span>
              <Button onClick={() => void marks.keep(drawing)} title="Into archive and draft (M)">
                Keep
              </Button>
            </li>
          ))}
        {measurements.map((one) => (
          <li key={one.id} data-testid="measurement">
            <button type="button" className={styles.jump} onClick={() => onJump(one)} title="Show its image">
              {one.sentence}
            </button>
            <span className={styles.quiet}>{personName(one.by)}</span>
          </li>
        ))}
      </ul>
      <div className={styles.pictures}>
        {keyImages.map((one) => (
          <figure key={one.id} data-testid="key-image">
            <button type="button" onClick={() => onJump(one)} title="Show it">
              <img
                src={`${one.picture_url}?viewport=160,160`}
                alt={`Key image, ${one.place}`}
                loading="lazy"
              />
            </button>
            <figcaption>
              {one.description || one.place}
              {mayMark && (
                <button
                  type="button"
                  className={styles.remove}
                  aria-label={`Take ${one.place} out of the key images`}
                  onClick={() => void marks.unmark(one)}
                >
                  <Icon name="cross" size={10} />
                </button>
              )}
            </figcaption>
          </figure>
        ))}
      </div>
      {problem && (
        <p role="alert" className={styles.problem}>
          {problem}
        </p>
      )}
    </section>
  );
}

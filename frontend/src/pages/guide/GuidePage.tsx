import { PageFooter } from "../../app/Shell";
import { useMe } from "../../app/session";
import { KeyTable } from "../../keyboard/HelpSheet";
import { AiMark } from "../../ui/AiMark";
import styles from "./Guide.module.css";

const AI_STATES: { says: string; means: string }[] = [
  {
    says: "possible intracranial hemorrhage 0.93 · 31 mL · PPV 71 % (of 84)",
    means:
      "The model saw something. 0.93 is its calibrated probability, 31 mL the size it measured. PPV is this site's own figure: of 84 flags reviewed here, 71 % were right.",
  },
  {
    says: "nothing found by ich_demo 0.1.0",
    means:
      "The model ran on these images and did not flag them. That is not a report, and no reason to read later.",
  },
  {
    says: "running, waiting",
    means: "An answer is to come. The study already stands where its order puts it.",
  },
  {
    says: "not analysed: reason",
    means:
      "No model could judge these images (for example: slices too thick). AI knows nothing about this study.",
  },
  {
    says: "failed: reason",
    means: "A model broke off. AI knows nothing about this study; it has been tried again.",
  },
  { says: "no model for this study", means: "No model here is meant for this kind of study." },
];

/** What one has to know to work here, short. */
export default function GuidePage() {
  const { site } = useMe();
  return (
    <>
      <div className={styles.page}>
        <article>
          <h1>What this is</h1>
          <p>
            Firstread is a reading worklist that puts the sickest patient first. Studies stand on the list
            from their first image, in the order of a deadline made from the order, the patient&apos;s place,
            the time waited and what AI found. AI can bring a study forward. It never pushes one back, it
            writes drafts only, and a radiologist signs.
          </p>
          <p className={styles.warning}>
            <b>Not a cleared medical device.</b> The weights are for demonstration. Do not use{" "}
            {site.name || "this site"} for the care of patients.
          </p>
        </article>
        <article>
          <h1>
            What AI says <AiMark />
          </h1>
          <p>Whatever an AI said is violet and marked AI. It says one of these:</p>
          <dl className={styles.states}>
            {AI_STATES.map((state) => (
              <div key={state.says}>
                <dt>{state.says}</dt>
                <dd>{state.means}</dd>
              </div>
            ))}
          </dl>
          <p>
            Probabilities in words: from 0.90 very likely, from 0.70 likely, from 0.40 possible, from 0.20
            less likely, below that unlikely.
          </p>
        </article>
        <article>
          <h1>Colours</h1>
          <p>
            <b className={styles.danger}>Red</b>: a patient may come to harm (an urgent study is overdue, an
            alert has no answer). <b className={styles.soon}>Amber</b>: due within 30 minutes, or your
            attention is needed soon. <b className={styles.ai}>Violet</b>: an AI said so. Each comes with a
            word or a sign, so that nothing hangs on colour alone.
          </p>
        </article>
        <article>
          <h1>When the connection is lost</h1>
          <p>
            The sign at the top says live, reconnecting, or offline since when. Until it is back the pages ask
            every 15 seconds. A report you write is kept on this computer and sent when the server answers; if
            somebody else changed the same section meanwhile, you see both texts and choose.
          </p>
        </article>
        <article>
          <h1>Keys</h1>
          <div className={styles.keys}>
            <KeyTable page="worklist" />
            <KeyTable page="read" />
            <KeyTable page="quality" />
            <KeyTable page="everywhere" />
          </div>
        </article>
      </div>
      <PageFooter />
    </>
  );
}

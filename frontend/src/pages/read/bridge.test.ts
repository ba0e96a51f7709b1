import { describe, expect, it } from "vitest";

import { addressOf } from "./Viewer";
import { readViewerMessage } from "./bridge";
import { matchOf } from "./PatientBanner";

const ORIGIN = "https://here";
const frame = {} as Window;
const event = (data: unknown, origin = ORIGIN, source: unknown = frame) =>
  ({ data, origin, source }) as MessageEvent;
const ready = { source: "firstread-viewer", type: "ready" };

describe("a message of the viewer", () => {
  it("is heard only from our own frame and origin", () => {
    expect(readViewerMessage(event(ready), ORIGIN, frame)).toMatchObject({ type: "ready" });
    expect(readViewerMessage(event(ready, "https://elsewhere"), ORIGIN, frame)).toBeNull();
    expect(readViewerMessage(event(ready, ORIGIN, {}), ORIGIN, frame)).toBeNull();
    expect(readViewerMessage(event({ source: "other", type: "ready" }), ORIGIN, frame)).toBeNull();
    expect(readViewerMessage(event("text"), ORIGIN, frame)).toBeNull();
  });
});

describe("the patient on screen", () => {
  const shown = (studyInstanceUID: string) => ({
    studyInstanceUID,
    seriesInstanceUID: "",
    sopInstanceUID: "",
  });
  const prior = {
    study_instance_uid: "1.2.9",
    study_date: null,
    modality: "CT",
    study_description: "",
    report_state: null,
    impression: "",
  };

  it("matches the banner only when the images are of its study", () => {
    expect(matchOf("1.2.1", null, [])).toBe("unknown");
    expect(matchOf("1.2.1", shown("1.2.1"), [])).toBe("match");
    expect(matchOf("1.2.1", shown("1.2.9"), [prior])).toBe("prior");
    expect(matchOf("1.2.1", shown("1.2.8"), [prior])).toBe("mismatch");
  });
});

it("a browser that cannot draw gets the plain pictures", () => {
  expect(addressOf(["1.2", "1.3"], true)).toBe("/viewer/viewer?StudyInstanceUIDs=1.2,1.3");
  expect(addressOf(["1.2", "1.3"], false)).toBe("/viewer/plain/1.2");
});

import { describe, expect, it } from "vitest";

import type { Desk } from "../api/types";
import { leadOf } from "./DeskBanner";

function desk(part: Partial<Desk>): Desk {
  return {
    hub_url: "http://localhost/fhircast/",
    topic: "t",
    version_id: "v",
    study_instance_uid: "1.2",
    something_open: true,
    opened_by: "another application",
    applications: [],
    ...part,
  };
}

describe("another application opened a study", () => {
  it("is followed from the list", () => {
    expect(leadOf(desk({}), "/")).toEqual({ act: "go", uid: "1.2" });
  });
  it("never takes a study from its reader", () => {
    expect(leadOf(desk({}), "/read/1.3")).toEqual({ act: "ask", uid: "1.2" });
    expect(leadOf(desk({}), "/read/1.2")).toEqual({ act: "none" });
  });
  it("warns who reads while the other shows what is not here", () => {
    expect(leadOf(desk({ study_instance_uid: null }), "/read/1.3")).toEqual({ act: "warn" });
    expect(leadOf(desk({ study_instance_uid: null }), "/")).toEqual({ act: "none" });
  });
  it("means nothing when this page opened it, or nothing is open", () => {
    expect(leadOf(desk({ opened_by: "Firstread" }), "/")).toEqual({ act: "none" });
    expect(leadOf(desk({ something_open: false, study_instance_uid: null }), "/read/1.3").act).toBe("none");
  });
});

// @vitest-environment happy-dom
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import { Suspense } from "react";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { erQuery, meQuery, queryClient } from "../../api/queries";
import type { ErPatient } from "../../api/types";
import { item } from "../../test/samples";
import { aiWords } from "./PatientLine";
import WallPage, { pageOf } from "./WallPage";

vi.mock("../../live/live", () => ({
  startLive: () => () => undefined,
  useLiveInterval: () => false,
  useLiveState: () => ({ phase: "live", since: null }),
}));

const patient = (part: Partial<ErPatient> = {}): ErPatient => ({
  study_instance_uid: "1.2.1",
  patient: item("1", 0).patient,
  accession_number: "ACC1",
  location: "ER bed 4",
  priority_class: "stat",
  stage: "complete",
  stage_since: "2026-11-24T12:00:00Z",
  arrived_at: "2026-11-24T12:00:00Z",
  ai_status: "not_analysed",
  ai_reason: "contrast was given",
  alert: null,
  preview_url: "",
  report: null,
  ...part,
});

describe("what AI has to say", () => {
  it("says that it has not analysed, and why, and never that nothing is there", () => {
    expect(aiWords(patient()).text).toBe("has not analysed: contrast was given");
    expect(aiWords(patient({ ai_status: "failed", ai_reason: "out of memory" })).text).toBe(
      "has not analysed, it failed: out of memory",
    );
    expect(aiWords(patient({ ai_status: "not_applicable", ai_reason: "" })).text).toBe(
      "has not analysed: no model for this study",
    );
    expect(aiWords(patient({ ai_status: "waiting" })).text).toMatch(/has not analysed yet/);
  });
});

describe("the wall", () => {
  beforeEach(() => {
    queryClient.clear();
    queryClient.setQueryData(meQuery.queryKey, {
      username: "wall",
      display_name: "Wall",
      roles: ["er_staff"],
      department: "ER",
      time_zone: "UTC",
      idle_timeout_s: 900,
      site: {
        name: "",
        ae_title: "",
        not_for_clinical_use: true,
        sign_asks_password: false,
        dictation: false,
      },
    });
    vi.stubGlobal("fetch", () => Promise.resolve(new Response("[]")));
    vi.stubGlobal(
      "AudioContext",
      class {
        state = "suspended";
      },
    );
  });

  it("shows every patient in turn, because nobody can scroll it", () => {
    const rows = [1, 2, 3, 4, 5];
    const seen = [0, 1, 2].flatMap((turn) => pageOf(rows, 2, turn).shown);
    expect(seen).toEqual(rows);
    expect(pageOf(rows, 2, 3)).toEqual({ shown: [1, 2], page: 1, pages: 3 });
    expect(pageOf([], 0, 5)).toEqual({ shown: [], page: 1, pages: 1 });
  });

  it("has nothing to click, says what AI did not look at, and shows the signed report", async () => {
    const report = {
      id: "3",
      state: "final" as const,
      impression: "Subdural hematoma, 8 mm",
      signed_at: "2026-11-24T13:00:00Z",
      signed_by: { username: "b", display_name: "Dr. B" },
    };
    queryClient.setQueryData(erQuery.queryKey, [patient({ report, stage: "signed" })]);
    const { rerender } = render(wall());
    expect(await screen.findByTestId("wall-patient")).toHaveTextContent("Subdural hematoma, 8 mm");
    queryClient.setQueryData(erQuery.queryKey, [patient()]);
    rerender(wall());
    expect(await screen.findByText(/has not analysed: contrast was given/)).toBeInTheDocument();
    expect(screen.queryAllByRole("button")).toEqual([]);
    expect(screen.queryAllByRole("link")).toEqual([]);
  });
});

const wall = () => (
  <MantineProvider env="test">
    <QueryClientProvider client={queryClient}>
      <Suspense>
        <WallPage />
      </Suspense>
    </QueryClientProvider>
  </MantineProvider>
);

// @vitest-environment happy-dom
import { cleanup, render, screen } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";

import { finding, item } from "../../test/samples";
import { WorklistRow } from "./WorklistRow";

const show = (one: ReturnType<typeof item>, onClaim: ((x: unknown) => void) | null = vi.fn()) =>
  render(
    <WorklistRow
      item={one}
      index={0}
      total={1}
      top={0}
      slides={false}
      selected
      onSelect={vi.fn()}
      onOpen={vi.fn()}
      me="a"
      onClaim={onClaim}
      onMenu={onClaim}
      onHover={vi.fn()}
    />,
  );

describe("a row of the worklist", () => {
  it("tells time left, class, patient, study, AI and why it stands here", () => {
    const reasons = [
      { code: "order", text: "STAT from ER, due within 30 min of arrival", minutes: 30 },
      { code: "ai_finding", text: "AI: possible intracranial hemorrhage 0.93, 20 min sooner", minutes: -20 },
    ];
    show(item("1", 10, { priority_class: "stat", prior_count: 2, findings: [finding()], reasons }));
    const row = screen.getByTestId("worklist-row");
    expect(row).toHaveAttribute("data-study-uid", "1.2.1");
    for (const text of [
      "STAT",
      "SYNTHETIC, 1",
      "71 Y F",
      "2 priors",
      "0.93 · 31 mL · PPV 71 % (of 84)",
      "free",
    ]) {
      expect(row).toHaveTextContent(text);
    }
    expect(screen.getByTestId("worklist-ai")).toHaveTextContent(/^AI\s?possible intracranial hemorrhage/);
    const text = row.textContent;
    expect(text.indexOf("20 min sooner")).toBeLessThan(text.indexOf("STAT from ER"));
  });

  it("does not say twice what the AI column says, and keeps the whole sentence as the title", () => {
    const text =
      "AI: possible intracranial hemorrhage > 0.99, 31 mL, known since 20 Nov 2026, not grown, due within 10 min";
    show(item("1", 10, { findings: [finding()], reasons: [{ code: "ai_finding", text, minutes: -20 }] }));
    const why = screen.getByTitle(text);
    expect(why).toHaveTextContent("AI: known since 20 Nov 2026, not grown, due within 10 min");
    expect(why).not.toHaveTextContent("31 mL");
  });

  it("names who holds it, and offers a claim only to those who may read", () => {
    const taken = item("1", 10, {
      state: "claimed",
      claimed_by: { username: "b", display_name: "Dr. B" },
    });
    show(taken);
    expect(screen.getByTestId("worklist-row")).toHaveTextContent("Dr. B");
    expect(screen.queryByTestId("claim")).toBeNull();
  });

  it("offers no claim to reviewers", () => {
    show(item("1", 10), null);
    expect(screen.queryByTestId("claim")).toBeNull();
  });

  it("shows assignment, hold with reason and until, raised priority and marks in words", () => {
    const by = { username: "b", display_name: "Dr. B" };
    const at = "2026-11-24T12:00:00Z";
    const held = { reason: "priors", note: "St. Mary", by, at, until: at } as const;
    show(
      item("1", 10, {
        priority_class: "stat",
        assigned_to: { username: "a", display_name: "Dr. A" },
        held,
        raised: { to: "stat", by, at, reason: "seizure" },
        flags: [{ kind: "peer_review", note: "", by, at }],
      }),
    );
    const row = screen.getByTestId("worklist-row");
    for (const text of ["on hold", "priors, until", "for me", "raised · outpatient", "peer review"]) {
      expect(row).toHaveTextContent(text);
    }
    expect(screen.getByTitle(/Raised to STAT by Dr\. B at .*: seizure/)).toBeInTheDocument();
    expect(screen.getByTitle(/waiting for priors \(St\. Mary\)/)).toBeInTheDocument();
    expect(screen.getByTestId("row-menu")).toHaveAccessibleName("All actions on SYNTHETIC, 1");
  });

  it("names whom it is assigned to", () => {
    show(item("1", 10, { assigned_to: { username: "c", display_name: "Dr. C" } }));
    expect(screen.getByTestId("worklist-state")).toHaveTextContent("for Dr. C");
  });

  it("says whose study it is, and when its group left it to everybody", () => {
    const groups = [{ id: "1", name: "Neuro" }];
    show(item("1", 10, { groups }));
    expect(screen.getByTestId("worklist-state")).toHaveTextContent("freeNeuro");
    expect(screen.getByTitle("For the readers of Neuro")).toBeInTheDocument();
    cleanup();
    show(item("1", 10, { groups, shared: true }));
    expect(screen.getByTestId("worklist-state")).toHaveTextContent("shared: Neuro");
    expect(screen.getByTitle("Open to all readers: nobody of Neuro was on duty")).toBeInTheDocument();
  });

  it("labels AI as AI also where it has nothing to say", () => {
    show(item("1", 10));
    expect(screen.getByTestId("worklist-ai")).toHaveTextContent("AI: no model for this study");
  });
});

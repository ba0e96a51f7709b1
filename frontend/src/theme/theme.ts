import { createTheme, type MantineColorsTuple } from "@mantine/core";

import { color, type } from "./tokens";

const accent: MantineColorsTuple = [
  "#e8f1ff",
  "#cfe0ff",
  "#a9c9ff",
  "#8ab7ff",
  color.accent,
  "#4f8ff0",
  "#3a78da",
  color.accentStrong,
  "#1d54b0",
  "#164391",
];

/** Mantine's grey scale in dark mode, from text (0) down to the page's background (7). */
const dark: MantineColorsTuple = [
  color.text,
  color.textQuiet,
  color.textFaint,
  "#5c6473",
  color.lineStrong,
  color.raised,
  color.surface,
  color.background,
  "#0b0d10",
  "#08090c",
];

export const theme = createTheme({
  primaryColor: "accent",
  primaryShade: { light: 7, dark: 7 },
  colors: { accent, dark },
  fontFamily: type.family,
  fontFamilyMonospace: type.mono,
  fontSizes: { xs: type.small, sm: type.body, md: type.read, lg: type.title, xl: type.large },
  defaultRadius: "sm",
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: "xs", variant: "default" } },
    // Red is for patients in danger, not for required fields.
    TextInput: { defaultProps: { size: "xs", withAsterisk: false } },
    NativeSelect: { defaultProps: { size: "xs" } },
    Textarea: { defaultProps: { size: "sm", withAsterisk: false } },
  },
});

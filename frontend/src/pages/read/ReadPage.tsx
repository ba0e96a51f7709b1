export default function ReadPage(_: { uid: string }) { return null; }

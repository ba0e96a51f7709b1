export default function ErPage() { return null; }

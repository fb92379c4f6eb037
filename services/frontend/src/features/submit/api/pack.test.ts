import { strFromU8, unzipSync } from "fflate";
import { expect, test } from "vitest";
import { pack, wanted } from "./pack";

const code = (path: string, text = "x") => ({ path, file: new File([text], path.split("/").at(-1) ?? "") });
const bytes = async (file: File) => new Uint8Array(await file.arrayBuffer());

test("a folder becomes a .zip without caches and version control, the same bytes each time", async () => {
  const files = [
    code("train.py", "print(1)"),
    code("lib/net.py"),
    code(".git/config"),
    code("lib/__pycache__/net.cpython-311.pyc"),
    code(".venv/bin/python"),
  ];
  const packed = await pack(files);
  const inside = unzipSync(await bytes(packed));
  expect(Object.keys(inside)).toEqual(["lib/net.py", "train.py"]);
  expect(strFromU8(inside["train.py"] ?? new Uint8Array())).toBe("print(1)");
  expect(await bytes(await pack(files.toReversed()))).toEqual(await bytes(packed));
});

test("a .zip goes as it is", async () => {
  const zip = code("code.zip", "PK");
  expect(await pack([zip])).toBe(zip.file);
});

test("a folder without code is refused, and so is one with too many files", async () => {
  await expect(pack([code(".git/config")])).rejects.toThrow("no file in it");
  await expect(pack(Array.from({ length: 10_001 }, (_, index) => code(`${index}.py`)))).rejects.toThrow("10001 files");
  expect(wanted([code("a.pyc")])).toEqual([]);
});

// What is checked of the sources beyond types. Imports go one way: app -> features -> components -> api -> lib, and no feature imports another.
import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

/** Files of a layer may not import these layers; inside a feature, imports are relative and stay inside. */
function layer(name, forbidden) {
  const patterns = forbidden.map((other) => ({
    group: [`@/${other}`, `@/${other}/*`],
    message: `src/${name} may not import src/${other}.`,
  }));
  if (name === "features")
    patterns.push({ group: ["../../*"], message: "A feature may not import another one; share through src/components or src/api." });
  return { files: [`src/${name}/**/*.{ts,tsx}`], rules: { "no-restricted-imports": ["error", { patterns }] } };
}

export default tseslint.config(
  { ignores: ["dist", "node_modules", "src/api/generated"] },
  ...tseslint.configs.strict,
  { files: ["src/**/*.{ts,tsx}"], ...reactHooks.configs.flat.recommended },
  layer("features", ["app", "features"]),
  layer("components", ["app", "features"]),
  layer("api", ["app", "features", "components"]),
  layer("lib", ["app", "features", "components", "api"]),
);

import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { lazy, Suspense, useEffect } from "react";
import { portalConfig } from "@/api/config";
import { token } from "@/api/session";
import { useStore } from "@/lib/store";
import { ErrorBoundary } from "./error-boundary";
import { queries } from "./queries";
import { router } from "./router";
import { schemeManager } from "./shell/scheme";
import { theme } from "./theme";

const SignIn = lazy(() => import("@/features/session/components/sign-in").then((module) => ({ default: module.SignIn })));

export function App() {
  return (
    // The variables come as a style sheet (vite.config.ts): the content security policy allows no <style> element.
    <MantineProvider
      theme={theme}
      colorSchemeManager={schemeManager}
      defaultColorScheme="auto"
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <ErrorBoundary>
        <QueryClientProvider client={queries}>
          <Gate />
        </QueryClientProvider>
      </ErrorBoundary>
    </MantineProvider>
  );
}

/** The portal for those whom the API knows, the sign-in page for others. */
function Gate() {
  const known = useStore(token) !== null || portalConfig().auth === "none";
  useEffect(() => {
    if (!known) queries.clear();
  }, [known]);
  return known ? (
    <RouterProvider router={router} />
  ) : (
    <Suspense>
      <SignIn />
    </Suspense>
  );
}

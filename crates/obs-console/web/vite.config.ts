import { defineConfig } from "vite";

// The page is embedded in the node. Fixed names keep the embedding simple; the server revalidates by ETag.
export default defineConfig({
  base: "./",
  esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
  build: {
    outDir: "../page",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: false,
    sourcemap: false,
    reportCompressedSize: true,
    rollupOptions: {
      output: {
        entryFileNames: "assets/console.js",
        // What draws charts, which only some views have.
        chunkFileNames: "assets/[name].js",
        assetFileNames: "assets/console.[ext]",
        // Asked for by the licences of Preact and uPlot, which are in the files.
        banner: "/*! Preact (c) 2015-present Jason Miller, uPlot (c) 2022 Leon Sorokin; both under the MIT licence, see NOTICE. */",
      },
    },
  },
});

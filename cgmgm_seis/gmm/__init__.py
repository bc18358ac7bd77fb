"""Ground-motion models beside the generators: ergodic, non-ergodic and published ones."""

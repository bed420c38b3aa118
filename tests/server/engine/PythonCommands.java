import io.kestra.core.models.annotations.Plugin;

/** Stands for io.kestra.plugin.scripts.python.Commands. */
@Plugin(aliases = "io.kestra.plugin.scripts.python.Commands")
public class PythonCommands extends ShellCommands {
}

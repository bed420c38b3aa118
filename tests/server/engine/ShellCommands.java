import io.kestra.core.models.annotations.Plugin;
import io.kestra.core.models.property.Property;
import io.kestra.core.runners.RunContext;
import io.kestra.plugin.scripts.exec.scripts.runners.CommandsWrapper;
import java.util.List;

/** Stands for io.kestra.plugin.scripts.shell.Commands. */
@Plugin(aliases = "io.kestra.plugin.scripts.shell.Commands")
public class ShellCommands extends StandIn {
    protected Property<List<String>> commands;

    public Property<List<String>> getCommands() {
        return commands;
    }

    @Override
    Property<List<String>> lines(RunContext context, CommandsWrapper wrapper) {
        return commands;
    }
}

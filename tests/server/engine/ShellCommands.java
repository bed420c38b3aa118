import io.kestra.core.models.annotations.Plugin;
import io.kestra.core.models.property.Property;
import io.kestra.core.models.tasks.RunnableTask;
import io.kestra.core.runners.RunContext;
import io.kestra.plugin.scripts.exec.AbstractExecScript;
import io.kestra.plugin.scripts.exec.scripts.models.ScriptOutput;
import java.util.List;

/** Stands for io.kestra.plugin.scripts.shell.Commands, which no registry serves: Kestra's own io.kestra:script does the work. */
@Plugin(aliases = "io.kestra.plugin.scripts.shell.Commands")
public class ShellCommands extends AbstractExecScript implements RunnableTask<ScriptOutput> {
    protected Property<List<String>> commands;

    public Property<List<String>> getCommands() {
        return commands;
    }

    protected Property<String> containerImage = Property.ofValue("ubuntu");

    @Override
    public Property<String> getContainerImage() {
        return containerImage;
    }

    @Override
    public ScriptOutput run(RunContext context) throws Exception {
        return commands(context).withInterpreter(interpreter).withBeforeCommands(beforeCommands)
            .withBeforeCommandsWithOptions(true).withCommands(commands).run();
    }
}

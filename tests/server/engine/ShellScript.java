import io.kestra.core.models.annotations.Plugin;
import io.kestra.core.models.property.Property;
import io.kestra.core.models.tasks.RunnableTask;
import io.kestra.core.runners.RunContext;
import io.kestra.plugin.scripts.exec.AbstractExecScript;
import io.kestra.plugin.scripts.exec.scripts.models.ScriptOutput;
import io.kestra.plugin.scripts.exec.scripts.runners.CommandsWrapper;
import java.util.List;

/** Stands for io.kestra.plugin.scripts.shell.Script, which no registry serves: Kestra's own io.kestra:script does the work. */
@Plugin(aliases = "io.kestra.plugin.scripts.shell.Script")
public class ShellScript extends AbstractExecScript implements RunnableTask<ScriptOutput> {
    protected Property<String> script;

    public Property<String> getScript() {
        return script;
    }

    protected Property<String> containerImage = Property.ofValue("ubuntu");

    @Override
    public Property<String> getContainerImage() {
        return containerImage;
    }

    @Override
    public ScriptOutput run(RunContext context) throws Exception {
        CommandsWrapper commands = commands(context);
        String text = commands.render(context, script);
        return commands.withInterpreter(interpreter).withBeforeCommands(beforeCommands)
            .withBeforeCommandsWithOptions(true).withCommands(Property.ofValue(List.of(text))).run();
    }
}

using LlmMarketplace.FirstRun;
using LlmMarketplace.Embedded;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.AllInOne;

/// <summary>The whole life of the process, from the folder to the last server's end.</summary>
internal static class Marketplace
{
    private const int CannotStart = 1;

    public static async Task<int> RunAsync(RunOptions options)
    {
        ForgetHostVariables();
        Environment.SetEnvironmentVariable("DOTNET_hostBuilder__reloadConfigOnChange", "false"); // No application here reads a settings file: without it each would watch the program's folder.
        using var stop = new StopSignal();
        try
        {
            return await RunAsync(options, stop.Token);
        }
        catch (OperationCanceledException) when (stop.Token.IsCancellationRequested)
        {
            return 0;
        }
        catch (Exception e) when (e is StartException or FirstRunException or EmbeddedServerException or OptionsValidationException)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return CannotStart;
        }
    }

    private static async Task<int> RunAsync(RunOptions options, CancellationToken stop)
    {
        var progress = new Progress();
        using var data = DataDirectory.Open(options); // First: of two reasons, another instance on it explains a port in use too.
        if (!FreePort.IsFree(options.Port, options.Listen))
        {
            throw new StartException(ServiceApplications.PortInUse(options));
        }

        if (options.Reset)
        {
            data.Reset(options.Yes);
        }

        var keys = KeyRing.Open(data);
        await using var log = await ProcessLog.StartAsync(data, stop);
        await using var servers = await BackingServers.StartAsync(data, keys, Services.Databases, progress, stop);
        var listeners = Services.All.Select(service => service.Name).Append(LocalModel.Name).ToDictionary(name => name, _ => new LoopbackListener());
        var settings = new ServiceSettings(options, keys, servers, listeners.ToDictionary(pair => pair.Key, pair => pair.Value.Address));
        await using var provider = await progress.StepAsync("local model", () => LocalModel.StartAsync(listeners[LocalModel.Name], keys, log, stop));
        await using var services = await ServiceApplications.StartAsync(options, settings, listeners, log, progress, stop);

        var facts = await FirstRunAsync(options, data, keys, progress, stop);
        facts.Write(data);
        StartUpPanel.Show(facts, data, progress.Elapsed);
        return await UntilStoppedAsync(servers, services, log, progress, stop);
    }

    /// <summary>Publishes what is not published yet. Only the first start needs it: later ones run whatever became of the catalogue.</summary>
    private static async Task<FirstRunFile> FirstRunAsync(RunOptions options, DataDirectory data, KeyRing keys, Progress progress, CancellationToken stop)
    {
        var facts = new FirstRunFile(options.PublicUrl.AbsoluteUri.TrimEnd('/'), ServiceSettings.AdministratorEmail, keys.AdministratorPassword, null, null);
        var before = FirstRunFile.Read(data);
        try
        {
            var first = await FirstRunProgram.RunAsync(
                new FirstRunOptions(new Uri($"http://localhost:{options.Port}/"), ServiceSettings.BootstrapClientId, keys.BootstrapClient, data.FirstRunState)
                {
                    Variables = new Dictionary<string, string> { ["LocalProvider__ApiKey"] = keys.LocalProvider },
                },
                new Said(progress),
                stop);
            return facts with { ConsumerKey = first.ConsumerKey, Model = first.Model };
        }
        catch (FirstRunException failed) when (before?.ConsumerKey is not null)
        {
            progress.Say($"The catalogue was not followed to its end: {failed.Message} All else runs.");
            return facts with { ConsumerKey = before.ConsumerKey, Model = before.Model };
        }
    }

    private static async Task<int> UntilStoppedAsync(BackingServers servers, ServiceApplications services, ProcessLog log, Progress progress, CancellationToken stop)
    {
        var stopped = Task.Delay(Timeout.InfiniteTimeSpan, stop);
        var first = await Task.WhenAny(stopped, servers.PostgresExited, services.Failed);
        if (first == stopped)
        {
            progress.Say("Stopping");
            return 0;
        }

        await Console.Error.WriteLineAsync(first == servers.PostgresExited
            ? $"PostgreSQL has ended unexpectedly, so everything stops: see {log.File} and postgres.log, and start again."
            : $"The service {await services.Failed} has ended unexpectedly, so everything stops: see {log.File}, and start again.");
        return CannotStart;
    }

    // ASPNETCORE_URLS and the like are meant for one application in a process; here they would reach each of them.
    private static void ForgetHostVariables()
    {
        foreach (var name in Environment.GetEnvironmentVariables().Keys.Cast<string>().Where(name => name.StartsWith("ASPNETCORE_", StringComparison.OrdinalIgnoreCase)).ToList())
        {
            Environment.SetEnvironmentVariable(name, null);
        }
    }

    private sealed class Said(Progress progress) : IProgress<string>
    {
        public void Report(string value) => progress.Say(value);
    }
}

using System.Globalization;
using LlmMarketplace.Embedded;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Publishing.Tests.Pipeline;

public sealed class CrashTests(SharedPublishing shared)
{
    private static readonly string Host = Path.Combine(
        RepositoryRoot.Path, "Services", "Publishing", "Publishing.Host", "bin", new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name, "net10.0", "LlmMarketplace.Publishing.Host.dll");

    /// <summary>The real host, killed as by kill -9 at each step in turn and started anew.</summary>
    [Fact]
    public async Task Killed_at_any_step_a_run_goes_on_where_it_was_and_ends_once()
    {
        await using var database = await shared.Postgres.CreateDatabaseAsync("publishing");
        await using var app = await PublishingApp.StartAsync(shared.Postgres, database: database);
        var owner = await app.ProviderAsync();
        await app.Service.App.StopAsync(TestContext.Current.CancellationToken); // It has migrated the database; from here on only the host works.

        var runs = new List<(Guid Listing, Guid Run)>();
        foreach (var step in new[] { "authorise", "validate", "store", "approval", "publish" })
        {
            await using var host = await StartHostAsync(app);
            var provider = app.At(host.Address, owner, "provider");
            var listing = await provider.CreateListingAsync($"killed-at-{step}");
            await provider.DraftAsync(listing, Declarations.WithoutNames());
            runs.Add((listing, await provider.SubmitAsync(listing, "1.0.0")));
            await Until.TrueAsync(async () => await CountAsync(app, "SELECT count(*) FROM pipeline_entries WHERE run_id = $1 AND type = 'step_started' AND step = $2", runs[^1].Run, step) > 0);
            await host.Process.StopAsync(ProcessSignal.Kill, TimeSpan.FromSeconds(10));
        }

        await using var last = await StartHostAsync(app);
        var caller = app.At(last.Address, owner, "provider");
        foreach (var (listing, run) in runs)
        {
            Assert.Equal("succeeded", (await caller.SettledRunAsync(run))["status"]!.GetValue<string>());
            Assert.Equal("active", await caller.StatusAsync(listing, "1.0.0"));
            Assert.Equal("published", Assert.Single(await app.EventsAsync(listing)).Data.Cause);
            Assert.Equal(5, await CountAsync(app, "SELECT count(*) FROM pipeline_entries WHERE run_id = $1 AND type = 'step_finished' AND $2 <> ''", run, "-"));
            Assert.Equal(1, await CountAsync(app, "SELECT count(*) FROM pipeline_entries WHERE run_id = $1 AND type = 'run_finished' AND $2 <> ''", run, "-"));
        }
    }

    [Fact]
    public async Task Killed_in_the_middle_of_a_step_the_step_is_done_again_and_counts_once()
    {
        await using var database = await shared.Postgres.CreateDatabaseAsync("publishing");
        await using var app = await PublishingApp.StartAsync(shared.Postgres, database: database);
        var owner = await app.ProviderAsync();
        await app.Service.App.StopAsync(TestContext.Current.CancellationToken);

        Guid listing, run;
        await using (var host = await StartHostAsync(app))
        {
            var provider = app.At(host.Address, owner, "provider");
            listing = await provider.CreateListingAsync();
            await provider.DraftAsync(listing, Declarations.WithoutNames());

            // The step "store" waits for the listing, with its transaction open, when the process dies.
            await using var connection = await app.Owner.OpenConnectionAsync(TestContext.Current.CancellationToken);
            run = await provider.SubmitAsync(listing, "1.0.0");
            await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
            await using var command = new Npgsql.NpgsqlCommand("SELECT FROM listings WHERE id = $1 FOR UPDATE", connection, transaction) { Parameters = { new() { Value = listing } } };
            await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
            await Until.TrueAsync(async () => await CountAsync(app, "SELECT count(*) FROM pipeline_entries WHERE run_id = $1 AND step = $2", run, "store") > 0);
            await host.Process.StopAsync(ProcessSignal.Kill, TimeSpan.FromSeconds(10));
        }

        await using var again = await StartHostAsync(app);
        var caller = app.At(again.Address, owner, "provider");
        var ended = await caller.SettledRunAsync(run);
        Assert.Equal("succeeded", ended["status"]!.GetValue<string>());
        Assert.All(ended["steps"]!.AsArray(), step => Assert.Equal(0, step!["failedAttempts"]!.GetValue<int>()));
        Assert.Single(await app.EventsAsync(listing));
    }

    private static async Task<RunningHost> StartHostAsync(PublishingApp app)
    {
        var address = $"http://127.0.0.1:{FreePort.Choose().ToString(CultureInfo.InvariantCulture)}";
        var environment = app.HostSettings.ToDictionary(setting => setting.Key.Replace(":", "__", StringComparison.Ordinal), setting => setting.Value);
        environment["ASPNETCORE_URLS"] = address;
        var process = await ChildProcess.StartAsync(new ChildProcessOptions { FileName = Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal) ? Environment.ProcessPath : Programs.Find("dotnet")!, Arguments = [Host], Environment = environment });
        using var client = new HttpClient { BaseAddress = new Uri(address) };
        await Until.TrueAsync(
            async () =>
            {
                Assert.False(process.Exited.IsCompleted, string.Join('\n', process.LastLines));
                try
                {
                    return (await client.GetAsync("/health/live")).IsSuccessStatusCode;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            seconds: 60);
        return new RunningHost(address, process);
    }

    private static async Task<long> CountAsync(PublishingApp app, string sql, Guid id, string text)
    {
        await using var command = app.Owner.CreateCommand(sql);
        command.Parameters.Add(new() { Value = id });
        command.Parameters.Add(new() { Value = text });
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private sealed record RunningHost(string Address, ChildProcess Process) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Process.DisposeAsync();
    }
}

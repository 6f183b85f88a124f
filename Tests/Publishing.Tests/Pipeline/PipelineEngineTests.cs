using System.Text.Json.Nodes;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Pipeline;

namespace LlmMarketplace.Publishing.Tests.Pipeline;

public sealed class PipelineEngineTests(SharedPublishing shared)
{
    [Fact]
    public async Task A_step_that_fails_is_tried_again_after_1_and_2_seconds_and_then_fails_the_run()
    {
        var step = new ScriptedStep("scripted", _ => throw new IOException("The other side is away."));
        await using var app = await StartAsync(step);
        var (provider, listing, run) = await PublishAsync(app);
        Assert.Equal(("failed", "step_failed"), (run["status"]!.GetValue<string>(), run["issues"]![0]!["code"]!.GetValue<string>()));
        Assert.Equal(3, step.Ran);
        Assert.Equal("failed_validation", await provider.StatusAsync(listing, "1.0.0"));
        Assert.Empty(await app.EventsAsync(listing));
        Assert.DoesNotContain("away", run.ToJsonString(), StringComparison.Ordinal); // Our troubles are not the provider's to read.

        var entries = await EntriesAsync(provider, run);
        var started = entries.Where(e => e.Type == "step_started" && e.Step == "scripted").ToList();
        Assert.Equal([1, 2, 3], started.Select(e => e.Attempt));
        Assert.Equal(3, entries.Single(e => e.Type == "step_finished" && e.Step == "scripted").Attempt);
        var failed = entries.Where(e => e.Type == "step_retrying").ToList();
        Assert.InRange(started[1].Time - failed[0].Time, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(2));
        Assert.InRange(started[2].Time - failed[1].Time, TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(2));
    }

    [Fact]
    public async Task A_step_that_works_at_the_third_attempt_does_not_fail_the_run()
    {
        var step = new ScriptedStep("scripted", attempt => attempt < 3 ? throw new IOException("Not yet.") : Task.FromResult<StepOutcome>(new StepOutcome.Succeeded("At last.")));
        await using var app = await StartAsync(step);
        var (provider, listing, run) = await PublishAsync(app);
        Assert.Equal("succeeded", run["status"]!.GetValue<string>());
        Assert.Single(await app.EventsAsync(listing));
        Assert.Equal(3, (await EntriesAsync(provider, run)).Single(e => e.Type == "step_finished" && e.Step == "scripted").Attempt);
        Assert.Equal(2, run["steps"]!.AsArray().Single(s => s!["name"]!.GetValue<string>() == "scripted")!["failedAttempts"]!.GetValue<int>());
        Assert.Equal("active", await provider.StatusAsync(listing, "1.0.0"));
    }

    [Fact]
    public async Task Effects_are_taken_back_in_reverse_when_a_later_step_refuses_even_if_taking_back_fails_at_first()
    {
        var taken = new List<string>();
        var first = ScriptedStep.Succeeds("first", _ => taken.Add("first"));
        var second = ScriptedStep.Succeeds("second", attempt =>
        {
            taken.Add("second");
            if (attempt == 1)
            {
                throw new IOException("Not now.");
            }
        });
        var refusing = new ScriptedStep("refusing", _ => Task.FromResult<StepOutcome>(new StepOutcome.Refused("No.", [new Issue("no", "", "No.")])));
        await using var app = await StartAsync(first, second, refusing);
        var (provider, listing, run) = await PublishAsync(app);
        Assert.Equal("failed", run["status"]!.GetValue<string>());
        Assert.Equal(["second", "second", "first"], taken);
        Assert.Equal(0, refusing.Compensated);
        Assert.Equal(
            ["first compensated", "second compensated", "refusing refused"],
            run["steps"]!.AsArray().TakeLast(3).Select(step => $"{step!["name"]!.GetValue<string>()} {step["status"]!.GetValue<string>()}"));
        Assert.Equal("failed_validation", await provider.StatusAsync(listing, "1.0.0"));
        Assert.Empty(await app.EventsAsync(listing));
    }

    [Fact]
    public async Task A_step_that_a_newer_release_adds_is_done_by_runs_that_are_under_way()
    {
        await using var database = await shared.Postgres.CreateDatabaseAsync("publishing");
        Guid listing, run;
        Caller caller;
        await using (var older = await PublishingApp.StartAsync(shared.Postgres, database: database))
        {
            caller = await older.ProviderAsync();
            listing = await caller.CreateListingAsync();
            run = Id(await caller.PublishAsync(listing, Declarations.NeedsApproval()));
        }

        var added = ScriptedStep.Succeeds("added");
        await using var newer = await PublishingApp.StartAsync(shared.Postgres, database: database, then: services => ScriptedStep.Insert(services, added));
        caller = newer.CallerOf(caller.Organisation, caller.Slug, caller.Subject, "provider");
        await newer.ExecuteAsync("UPDATE version_approvals SET decision = 'approved', decided_by = 'bob', decision_reason = 'Fine.', decided_at = now() WHERE run_id = $1", run);
        await newer.ExecuteAsync("UPDATE pipeline_runs SET status = 'running' WHERE id = $1", run);
        Assert.Equal("succeeded", (await caller.SettledRunAsync(run))["status"]!.GetValue<string>());
        Assert.Equal(1, added.Ran);
    }

    [Fact]
    public async Task Who_has_lost_the_lease_stores_nothing_and_another_instance_ends_the_run_once()
    {
        await using var database = await shared.Postgres.CreateDatabaseAsync("publishing");
        var release = new TaskCompletionSource<StepOutcome>();
        var slow = new ScriptedStep("scripted", _ => release.Task);
        await using var first = await PublishingApp.StartAsync(shared.Postgres, database: database, then: services => ScriptedStep.Insert(services, slow));
        var provider = await first.ProviderAsync();
        var runs = new List<(Guid Listing, Guid Run)>();

        // A run for each of its workers: one that is free would take a run up again itself, and renew the lease as long as the step takes.
        for (var worker = 0; worker < PipelineWorker.AtOnce; worker++)
        {
            var listing = await provider.CreateListingAsync($"embed-{worker}");
            await provider.DraftAsync(listing, Declarations.Embeddings());
            runs.Add((listing, await provider.SubmitAsync(listing, "1.0.0")));
        }

        await Until.TrueAsync(() => Task.FromResult(slow.Ran == runs.Count));

        // As if the first instance had been frozen for longer than its leases.
        var quick = new ScriptedStep("scripted", _ => Task.FromResult<StepOutcome>(new StepOutcome.Succeeded("By the second.")));
        await using var second = await PublishingApp.StartAsync(shared.Postgres, database: database, then: services => ScriptedStep.Insert(services, quick));
        await first.ExecuteAsync("UPDATE pipeline_runs SET lease = gen_random_uuid(), leased_until = now() - interval '1 second'");
        foreach (var (_, run) in runs)
        {
            Assert.Equal("succeeded", (await provider.SettledRunAsync(run))["status"]!.GetValue<string>());
        }

        // The first has said its word once its workers are free for something else.
        release.SetResult(new StepOutcome.Refused("By the first, too late.", [new Issue("late", "", "Late.")]));
        await second.Service.App.StopAsync(TestContext.Current.CancellationToken);
        var last = await provider.CreateListingAsync("last");
        Assert.Equal("failed", (await provider.PublishAsync(last, Declarations.Embeddings()))["status"]!.GetValue<string>());

        foreach (var (listing, run) in runs)
        {
            var ended = await provider.SettledRunAsync(run);
            Assert.Equal("succeeded", ended["status"]!.GetValue<string>());
            Assert.Equal("By the second.", ended["steps"]!.AsArray().Single(s => s!["name"]!.GetValue<string>() == "scripted")!["verdict"]!.GetValue<string>());
            Assert.Single(await first.EventsAsync(listing));
            Assert.Single(await EntriesAsync(provider, ended), e => e.Type == "run_finished");
        }
    }

    [Fact]
    public async Task A_suspended_organisation_publishes_nothing()
    {
        var provider = await shared.App.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        await provider.DraftAsync(listing, Declarations.Embeddings());
        await shared.App.ExecuteAsync("UPDATE organisations SET status = 'suspended' WHERE id = $1", provider.Organisation);
        var run = await provider.SettledRunAsync(await provider.SubmitAsync(listing, "1.0.0"));
        Assert.Equal("organisation_suspended", run["issues"]![0]!["code"]!.GetValue<string>());
        Assert.Equal("failed_validation", await provider.StatusAsync(listing, "1.0.0"));
    }

    private Task<PublishingApp> StartAsync(params ScriptedStep[] steps) => PublishingApp.StartAsync(shared.Postgres, then: services => ScriptedStep.Insert(services, steps));

    private static async Task<(Caller Provider, Guid Listing, JsonNode Run)> PublishAsync(PublishingApp app)
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        return (provider, listing, await provider.PublishAsync(listing, Declarations.Embeddings()));
    }

    private static Guid Id(JsonNode node) => node["id"]!.GetValue<Guid>();

    private static async Task<List<FollowRun.EntryView>> EntriesAsync(Caller caller, JsonNode run)
    {
        await using var journal = await RunJournal.OpenAsync(caller, Id(run));
        return await journal.RestAsync();
    }
}

namespace LlmMarketplace.Publishing.Tests.Pipeline;

public sealed class FollowRunTests(SharedPublishing shared)
{
    private readonly PublishingApp app = shared.App;

    [Fact]
    public async Task A_watcher_sees_each_step_as_it_happens_until_the_run_ends()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        await provider.DraftAsync(listing, Declarations.NeedsApproval());
        var run = await provider.SubmitAsync(listing, "1.0.0");
        await using var journal = await RunJournal.OpenAsync(provider, run);
        var seen = new List<string>();
        do
        {
            var entry = (await journal.NextAsync())!;
            seen.Add($"{entry.Number} {entry.Type} {entry.Step} {entry.Outcome}");
        }
        while (!seen[^1].Contains("waiting", StringComparison.Ordinal));
        Assert.Equal(
            [
                "1 run_started  running", "2 step_started authorise running", "3 step_finished authorise succeeded", "4 step_started validate running", "5 step_finished validate succeeded",
                "6 step_started store running", "7 step_finished store succeeded", "8 step_started approval running", "9 step_waiting approval waiting",
            ],
            seen);

        // It waits for a person, and the watcher with it; what happens then comes at once.
        var next = journal.NextAsync();
        Assert.False(next.IsCompleted);
        await (await provider.PostAsync($"/api/v1/listings/{listing}/versions/1.0.0/withdraw")).JsonAsync();
        Assert.Equal(("step_finished", "refused", "withdrawn"), ((await next)!.Type, (await next)!.Outcome, (await next)!.Issues[0].Code));
        Assert.Equal("run_finished", Assert.Single(await journal.RestAsync()).Type);
    }

    [Fact]
    public async Task A_watcher_who_comes_back_goes_on_after_what_it_saw_last()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        var run = (await provider.PublishAsync(listing, Declarations.Embeddings()))["id"]!.GetValue<Guid>();
        await using (var journal = await RunJournal.OpenAsync(provider, run, after: 4))
        {
            var rest = await journal.RestAsync();
            Assert.Equal(Enumerable.Range(5, rest.Count), rest.Select(entry => entry.Number));
            Assert.Equal("run_finished", rest[^1].Type);
            await using var afterLast = await RunJournal.OpenAsync(provider, run, after: rest[^1].Number);
            Assert.Empty(await afterLast.RestAsync());
        }
    }
}

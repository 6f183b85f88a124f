using System.Net;
using LlmMarketplace.Admin.Contracts;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Admin.Tests.Approvals;

public sealed class WaitingTests(PostgresServer postgres) : IAsyncLifetime
{
    private AdminApp app = null!;

    public async ValueTask InitializeAsync() => app = await AdminApp.StartAsync(postgres);

    public ValueTask DisposeAsync() => app.DisposeAsync();

    [Fact]
    public async Task An_approval_that_waits_for_24_hours_is_escalated_once_and_can_still_be_decided()
    {
        var early = await app.QueuedAsync();
        app.Clock.Advance(TimeSpan.FromHours(23.5));
        var late = await app.QueuedAsync();
        app.Clock.Advance(TimeSpan.FromHours(1));

        await AdminApp.UntilAsync(async () => (bool)(await app.ApprovalAsync(early, "pending"))["escalated"]!, () => "the approval was not escalated");
        Assert.False((bool)(await app.ApprovalAsync(late, "pending"))["escalated"]!);
        Assert.Empty(await app.DecisionsAsync(early));
        var at = await app.ValueAsync($"SELECT escalated_at FROM approvals WHERE id = '{early}'");

        app.Clock.Advance(TimeSpan.FromHours(24)); // The other one is looked at after it: by then it would have been escalated again.
        await AdminApp.UntilAsync(async () => (bool)(await app.ApprovalAsync(late, "pending"))["escalated"]!, () => "the later approval was not escalated");
        Assert.Equal(at, await app.ValueAsync($"SELECT escalated_at FROM approvals WHERE id = '{early}'"));

        using var approver = app.Approver();
        await (await approver.DecideAsync(early, "approve")).JsonAsync();
    }

    [Fact]
    public async Task An_approval_that_nobody_decides_within_7_days_expires_and_is_told_once()
    {
        var approval = await app.QueuedAsync();
        app.Clock.Advance(TimeSpan.FromDays(7) - TimeSpan.FromHours(1));
        await AdminApp.UntilAsync(async () => (bool)(await app.ApprovalAsync(approval, "pending"))["escalated"]!, () => "the approval was not looked at");
        app.Clock.Advance(TimeSpan.FromHours(1));

        var expired = await app.ApprovalAsync(approval, "expired");
        Assert.Equal("system", (string)expired["decidedBy"]!);
        using var approver = app.Approver();
        Assert.Equal("already_decided", await (await approver.DecideAsync(approval, "approve")).CodeAsync(HttpStatusCode.Conflict));
        var (version, told) = Assert.Single(await app.DecisionsAsync(approval));
        Assert.Equal((1, ApprovalDecision.Expired, "system"), (version, told.Decision, told.DecidedBy));
    }

    [Fact]
    public async Task A_decision_that_comes_after_7_days_is_too_late_even_before_anybody_has_looked()
    {
        var approval = await app.QueuedAsync();

        // Nobody can look while the row is held.
        await using var holder = await app.HoldAsync(approval);
        app.Clock.Advance(TimeSpan.FromDays(7));
        using var approver = app.Approver();
        var decision = approver.DecideAsync(approval, "approve");
        await AdminApp.UntilAsync(async () => (long)(await app.ValueAsync("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))! >= 2, () => "the decision and the watch did not wait");
        await holder.DisposeAsync();

        Assert.Contains(await (await decision).CodeAsync(HttpStatusCode.Conflict), new[] { "approval_expired", "already_decided" });
        await app.ApprovalAsync(approval, "expired");
        Assert.Equal(ApprovalDecision.Expired, Assert.Single(await app.DecisionsAsync(approval)).Data.Decision);
    }
}

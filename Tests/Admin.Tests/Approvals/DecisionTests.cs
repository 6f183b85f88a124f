using System.Net;
using System.Net.Http.Json;
using LlmMarketplace.Admin.Contracts;
using LlmMarketplace.Identity.Contracts;

namespace LlmMarketplace.Admin.Tests.Approvals;

public sealed class DecisionTests(SharedAdmin shared) : IClassFixture<SharedAdmin>
{
    private readonly AdminApp app = shared.App;

    [Theory]
    [InlineData("approve", "approved", ApprovalDecision.Approved)]
    [InlineData("reject", "rejected", ApprovalDecision.Rejected)]
    public async Task A_decision_is_kept_and_told_with_its_reason(string verb, string status, ApprovalDecision decision)
    {
        var approval = await app.QueuedAsync();
        using var approver = app.Approver();
        var answer = await (await approver.DecideAsync(approval, verb, "The agreement is signed.")).JsonAsync();
        Assert.Equal((status, "bob", "The agreement is signed."), ((string)answer["status"]!, (string)answer["decidedBy"]!, (string)answer["reason"]!));

        var seen = await app.ApprovalAsync(approval, status);
        var (version, told) = Assert.Single(await app.DecisionsAsync(approval));
        Assert.Equal(1, version);
        Assert.Equal(
            new ApprovalDecided(approval, (Guid)seen["listingId"]!, (Guid)seen["versionId"]!, decision, "bob", "The agreement is signed.", (DateTimeOffset)answer["decidedAt"]!),
            told);
    }

    [Theory]
    [InlineData("approve")]
    [InlineData("reject")]
    public async Task Who_submitted_a_version_may_not_decide_it_whatever_their_role(string verb)
    {
        var approval = await app.QueuedAsync(requestedBy: "dave");
        foreach (var role in new[] { Roles.Approver, Roles.Admin })
        {
            using var requester = app.ClientOf("dave", role, Roles.Provider);
            Assert.Equal("four_eyes", await (await requester.DecideAsync(approval, verb)).CodeAsync(HttpStatusCode.Forbidden));
        }

        await app.ApprovalAsync(approval, "pending");
        Assert.Empty(await app.DecisionsAsync(approval));
        using var other = app.Approver();
        await (await other.DecideAsync(approval, verb)).JsonAsync();
    }

    [Theory]
    [InlineData("reject", null)]
    [InlineData("reject", "")]
    [InlineData("reject", " \n ")]
    [InlineData("approve", null)]
    [InlineData("approve", "a\0b")]
    public async Task A_decision_needs_a_reason(string verb, string? reason)
    {
        var approval = await app.QueuedAsync();
        using var approver = app.Approver();
        Assert.Equal("reason_required", await (await approver.DecideAsync(approval, verb, reason)).CodeAsync(HttpStatusCode.BadRequest));
        await app.ApprovalAsync(approval, "pending");
        Assert.Empty(await app.DecisionsAsync(approval));
    }

    [Fact]
    public async Task A_reason_has_at_most_2000_characters_and_an_answer_without_a_body_is_refused()
    {
        var approval = await app.QueuedAsync();
        using var approver = app.Approver();
        Assert.Equal("reason_required", await (await approver.DecideAsync(approval, "reject", new string('x', 2_001))).CodeAsync(HttpStatusCode.BadRequest));
        Assert.Equal(HttpStatusCode.BadRequest, (await approver.PostAsync($"/api/v1/approvals/{approval}/reject", JsonContent.Create<object?>(null), TestContext.Current.CancellationToken)).StatusCode);
        await (await approver.DecideAsync(approval, "reject", new string('x', 2_000))).JsonAsync();
    }

    [Theory]
    [InlineData("approve")]
    [InlineData("reject")]
    public async Task A_second_decision_is_refused_and_says_who_decided(string verb)
    {
        var approval = await app.QueuedAsync();
        using var first = app.Approver("bob");
        using var second = app.Approver("erin");
        await (await first.DecideAsync(approval, "reject", "Too little.")).JsonAsync();

        var refused = await (await second.DecideAsync(approval, verb, "I think otherwise.")).JsonAsync(HttpStatusCode.Conflict);
        Assert.Equal(("already_decided", "rejected", "bob", "Too little."), ((string)refused["code"]!, (string)refused["approvalStatus"]!, (string)refused["decidedBy"]!, (string)refused["reason"]!));
        Assert.Equal("already_decided", await (await first.DecideAsync(approval, "approve")).CodeAsync(HttpStatusCode.Conflict));
        Assert.Equal(ApprovalDecision.Rejected, Assert.Single(await app.DecisionsAsync(approval)).Data.Decision);
    }

    [Fact]
    public async Task Repeating_ones_own_decision_answers_it_again_and_tells_nothing_new()
    {
        var approval = await app.QueuedAsync();
        using var approver = app.Approver();
        var first = await (await approver.DecideAsync(approval, "approve", "Fine.")).JsonAsync();
        var again = await (await approver.DecideAsync(approval, "approve", "Fine, as I said.")).JsonAsync();
        Assert.Equal((string)first["reason"]!, (string)again["reason"]!);
        Assert.Single(await app.DecisionsAsync(approval));
    }

    [Fact]
    public async Task Of_many_who_decide_at_the_same_moment_one_does()
    {
        var approval = await app.QueuedAsync();
        var deciders = Enumerable.Range(0, 8).Select(i => app.Approver($"approver-{i}")).ToList();
        var answers = await Task.WhenAll(deciders.Select((decider, i) => decider.DecideAsync(approval, i % 2 == 0 ? "approve" : "reject")));
        Assert.Single(answers, answer => answer.StatusCode == HttpStatusCode.OK);
        Assert.Equal(7, answers.Count(answer => answer.StatusCode == HttpStatusCode.Conflict));
        Assert.Single(await app.DecisionsAsync(approval));
        deciders.ForEach(decider => decider.Dispose());
    }

    [Fact]
    public async Task A_decision_that_cannot_be_told_is_not_made()
    {
        var approval = await app.QueuedAsync();
        await app.ValueAsync($"ALTER TABLE messaging.outbox ADD CONSTRAINT nothing_of_this CHECK (key <> '{approval}')");
        using var approver = app.Approver();
        Assert.Equal(HttpStatusCode.InternalServerError, (await approver.DecideAsync(approval, "approve")).StatusCode);
        await app.ApprovalAsync(approval, "pending");

        await app.ValueAsync("ALTER TABLE messaging.outbox DROP CONSTRAINT nothing_of_this");
        await (await approver.DecideAsync(approval, "approve")).JsonAsync();
        Assert.Single(await app.DecisionsAsync(approval));
    }
}

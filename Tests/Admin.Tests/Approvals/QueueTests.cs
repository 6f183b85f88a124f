using System.Net;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Admin.Tests.Approvals;

public sealed class QueueTests(SharedAdmin shared, PostgresServer postgres) : IClassFixture<SharedAdmin>
{
    private readonly AdminApp app = shared.App;

    [Fact]
    public async Task A_version_that_waits_appears_with_what_is_under_review()
    {
        var listing = Listings.Waiting("alice", app.Clock.GetUtcNow());
        await app.TellAsync(1, listing);
        var version = listing.Versions[0];
        var seen = await app.ApprovalAsync(version.Approval!.ApprovalId, "pending");

        Assert.Equal((listing.ListingId, version.VersionId, listing.OrganisationId), ((Guid)seen["listingId"]!, (Guid)seen["versionId"]!, (Guid)seen["organisationId"]!));
        Assert.Equal(("acme", "chat", "1.0.0", "alice"), ((string)seen["provider"]!, (string)seen["name"]!, (string)seen["version"]!, (string)seen["requestedBy"]!));
        Assert.Equal("compliance_level", (string)Assert.Single(seen["reasons"]!.AsArray())!);
        Assert.False((bool)seen["escalated"]!);
        Assert.Equal(TimeSpan.FromDays(7), (DateTimeOffset)seen["expiresAt"]! - (DateTimeOffset)seen["requestedAt"]!);
        Assert.Equal("confidential", (string)seen["specification"]!["compliance"]!["level"]!);
        Assert.Equal(2.50m, (decimal)seen["specification"]!["pricing"]!["rates"]![0]!["input"]!);
        Assert.Null(seen["decidedBy"]);
    }

    [Fact]
    public async Task The_queue_is_listed_oldest_first_page_by_page_and_by_status()
    {
        await using var own = await AdminApp.StartAsync(postgres);
        var queued = new List<Guid>();
        for (var i = 0; i < 5; i++)
        {
            queued.Add(await own.QueuedAsync());
        }

        using var approver = own.Approver();
        await (await approver.DecideAsync(queued[1], "approve")).JsonAsync();
        await (await approver.DecideAsync(queued[3], "reject")).JsonAsync();

        Assert.Equal(queued, await PagesAsync(approver, "limit=2", 3));
        Assert.Equal([queued[0], queued[2], queued[4]], await PagesAsync(approver, "limit=2&status=pending", 2));
        Assert.Equal([queued[1]], await PagesAsync(approver, "status=approved", 1));
        Assert.Equal([queued[3]], await PagesAsync(approver, "status=rejected", 1));
        Assert.Empty(await PagesAsync(approver, "status=expired", 1));
    }

    [Theory]
    [InlineData("status=waiting", "invalid_status")]
    [InlineData("status=0", "invalid_status")]
    [InlineData("cursor=nothing", "invalid_cursor")]
    public async Task A_wrong_question_is_answered_with_what_is_wrong(string query, string code)
    {
        using var approver = app.Approver();
        Assert.Equal(code, await (await approver.ReadAsync("/api/v1/approvals?" + query)).CodeAsync(HttpStatusCode.BadRequest));
    }

    [Fact]
    public async Task An_approval_that_does_not_exist_is_not_found()
    {
        using var approver = app.Approver();
        Assert.Equal("not_found", await (await approver.ReadAsync($"/api/v1/approvals/{Guid.CreateVersion7()}")).CodeAsync(HttpStatusCode.NotFound));
        Assert.Equal("not_found", await (await approver.DecideAsync(Guid.CreateVersion7(), "approve")).CodeAsync(HttpStatusCode.NotFound));
    }

    [Theory]
    [InlineData(Roles.Admin, HttpStatusCode.OK, HttpStatusCode.OK)]
    [InlineData(Roles.Approver, HttpStatusCode.OK, HttpStatusCode.OK)]
    [InlineData(Roles.Auditor, HttpStatusCode.OK, HttpStatusCode.Forbidden)]
    [InlineData(Roles.Provider, HttpStatusCode.Forbidden, HttpStatusCode.Forbidden)]
    [InlineData(Roles.Consumer, HttpStatusCode.Forbidden, HttpStatusCode.Forbidden)]
    [InlineData(Roles.Service, HttpStatusCode.Forbidden, HttpStatusCode.Forbidden)]
    public async Task Approvers_and_administrators_decide_and_auditors_only_read(string role, HttpStatusCode reads, HttpStatusCode decides)
    {
        var approval = await app.QueuedAsync();
        using var client = app.ClientOf("bob", role);
        Assert.Equal(reads, (await client.ReadAsync("/api/v1/approvals")).StatusCode);
        Assert.Equal(reads, (await client.ReadAsync($"/api/v1/approvals/{approval}")).StatusCode);
        Assert.Equal(decides, (await client.DecideAsync(approval, "reject")).StatusCode);
        Assert.Equal(decides == HttpStatusCode.OK ? 1 : 0, (await app.DecisionsAsync(approval)).Count);
    }

    [Fact]
    public async Task Nobody_gets_in_without_a_token()
    {
        var approval = await app.QueuedAsync();
        Assert.Equal(HttpStatusCode.Unauthorized, (await app.Anonymous.ReadAsync("/api/v1/approvals")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await app.Anonymous.ReadAsync($"/api/v1/approvals/{approval}")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await app.Anonymous.DecideAsync(approval, "approve")).StatusCode);
    }

    [Fact]
    public async Task A_version_that_is_withdrawn_leaves_the_queue_and_cannot_be_decided()
    {
        var listing = Listings.Waiting("alice", app.Clock.GetUtcNow());
        var approval = listing.Versions[0].Approval!.ApprovalId;
        await app.TellAsync(1, listing);
        await app.ApprovalAsync(approval, "pending");
        await app.TellAsync(2, listing.Now(VersionStatus.Rejected, "rejected"));
        await app.ApprovalAsync(approval, "obsolete");

        using var approver = app.Approver();
        Assert.Equal("already_decided", await (await approver.DecideAsync(approval, "approve")).CodeAsync(HttpStatusCode.Conflict));
        Assert.Empty(await app.DecisionsAsync(approval));
    }

    [Fact]
    public async Task An_older_version_of_a_listing_changes_nothing()
    {
        var listing = Listings.Waiting("alice", app.Clock.GetUtcNow());
        var approval = listing.Versions[0].Approval!.ApprovalId;
        await app.TellAsync(5, listing);
        await app.ApprovalAsync(approval, "pending");
        await app.TellAsync(4, listing.Now(VersionStatus.Rejected, "rejected"));
        await app.TellAsync(5, listing.Now(VersionStatus.Rejected, "rejected"));

        await app.QueuedAsync(); // Comes behind them, in the same topic.
        await app.ApprovalAsync(approval, "pending");
    }

    [Fact]
    public async Task What_is_told_again_after_a_decision_leaves_the_decision_alone()
    {
        var listing = Listings.Waiting("alice", app.Clock.GetUtcNow());
        var approval = listing.Versions[0].Approval!.ApprovalId;
        await app.TellAsync(1, listing);
        await app.ApprovalAsync(approval, "pending");
        using var approver = app.Approver();
        await (await approver.DecideAsync(approval, "approve")).JsonAsync();
        await app.TellAsync(2, listing.Now(VersionStatus.PendingApproval, "visibility_changed"));
        await app.TellAsync(3, listing.Now(VersionStatus.Active, "published"));

        await app.QueuedAsync();
        Assert.Equal("bob", (string)(await app.ApprovalAsync(approval, "approved"))["decidedBy"]!);
    }

    [Fact]
    public async Task A_version_that_needs_no_approval_or_was_decided_before_it_was_seen_is_not_queued()
    {
        var listing = Listings.Waiting("alice", app.Clock.GetUtcNow());
        await app.TellAsync(1, listing.Now(VersionStatus.Active, "published"));
        var free = Listings.Waiting("alice", app.Clock.GetUtcNow());
        await app.TellAsync(1, free with { Versions = [free.Versions[0] with { Approval = null, Status = VersionStatus.Active }] });

        await app.QueuedAsync();
        using var approver = app.Approver();
        Assert.Equal(HttpStatusCode.NotFound, (await approver.ReadAsync($"/api/v1/approvals/{listing.Versions[0].Approval!.ApprovalId}")).StatusCode);
        Assert.Equal(0L, await app.ValueAsync($"SELECT count(*) FROM approvals WHERE listing_id IN ('{listing.ListingId}', '{free.ListingId}')"));
    }

    private static async Task<List<Guid>> PagesAsync(HttpClient client, string query, int pages)
    {
        var seen = new List<Guid>();
        var cursor = (string?)null;
        for (var page = 1; ; page++)
        {
            var answer = await (await client.ReadAsync($"/api/v1/approvals?{query}{(cursor is null ? "" : $"&cursor={cursor}")}")).JsonAsync();
            seen.AddRange(answer["items"]!.AsArray().Select(item => (Guid)item!["id"]!));
            cursor = (string?)answer["nextCursor"];
            if (cursor is null)
            {
                Assert.Equal(pages, page);
                return seen;
            }
        }
    }
}

using System.Net;
using LlmMarketplace.Admin.Contracts;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Messaging;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Publishing.Tests.Approvals;

/// <summary>Publishing beside peers that send real events, as Admin and Identity do.</summary>
public sealed class ApprovalTests(SharedPublishing shared) : IAsyncLifetime
{
    private TestIdentity identity = null!;
    private TestDatabase database = null!;
    private TestService admin = null!;
    private PublishingApp app = null!;

    public async ValueTask InitializeAsync()
    {
        identity = await TestIdentity.StartAsync();
        database = await shared.Postgres.CreateDatabaseAsync("peer");
        admin = await TestService.StartAsync("admin", identity, database, Add, peer => peer.MapMessaging());
        app = await PublishingApp.StartAsync(shared.Postgres, settings: new() { ["services:admin:http:0"] = admin.Address }, trust: identity);

        static void Add(WebApplicationBuilder builder)
        {
            builder.Logging.ClearProviders();
            builder.AddServiceDatabase<PeerDb>("admin");
            builder.AddMessaging<PeerDb>("admin").Publishes<ApprovalDecided>(AdminEvents.Approvals, AdminEvents.ApprovalDecided);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await app.DisposeAsync();
        await admin.DisposeAsync();
        await database.DisposeAsync();
        await identity.DisposeAsync();
    }

    [Fact]
    public async Task A_confidential_version_waits_and_is_published_when_another_person_approves()
    {
        var (provider, listing, run) = await SubmitAsync();
        Assert.Equal("waiting", run["status"]!.GetValue<string>());
        Assert.Equal("pending_approval", await provider.StatusAsync(listing, "1.0.0"));
        var asked = Assert.Single(await app.EventsAsync(listing)).Data;
        Assert.Equal(("approval_requested", VersionStatus.PendingApproval), (asked.Cause, asked.Versions[0].Status));
        Assert.Equal(["compliance_level"], asked.Versions[0].Approval!.Reasons);
        Assert.Equal("alice", asked.Versions[0].Approval!.RequestedBy);

        await DecideAsync(asked, ApprovalDecision.Approved, "bob");
        await Until.TrueAsync(async () => await provider.StatusAsync(listing, "1.0.0") == "active");
        var version = await provider.VersionAsync(listing, "1.0.0");
        Assert.Equal(("approved", "bob", "Because."), (version["approval"]!["decision"]!.GetValue<string>(), version["approval"]!["decidedBy"]!.GetValue<string>(), version["approval"]!["reason"]!.GetValue<string>()));
        Assert.Equal(["approval_requested", "published"], (await app.EventsAsync(listing)).Select(e => e.Data.Cause));
    }

    [Fact]
    public async Task Enterprise_support_needs_an_approval_as_well()
    {
        var declaration = Declarations.NeedsApproval();
        declaration["sla"]!["supportLevel"] = "enterprise";
        var (_, listing, _) = await SubmitAsync(declaration);
        Assert.Equal(["compliance_level", "enterprise_support"], (await app.EventsAsync(listing))[0].Data.Versions[0].Approval!.Reasons);
    }

    [Theory]
    [InlineData(ApprovalDecision.Rejected, "bob", "approval_rejected")]
    [InlineData(ApprovalDecision.Expired, "system", "approval_expired")]
    [InlineData(ApprovalDecision.Approved, "alice", "four_eyes")]
    public async Task A_version_that_is_not_approved_by_somebody_else_is_rejected(ApprovalDecision decision, string by, string code)
    {
        var (provider, listing, _) = await SubmitAsync();
        await DecideAsync((await app.EventsAsync(listing))[0].Data, decision, by);
        await Until.TrueAsync(async () => await provider.StatusAsync(listing, "1.0.0") == "rejected");
        Assert.Equal(code, (await provider.VersionAsync(listing, "1.0.0"))["issues"]![0]!["code"]!.GetValue<string>());
        Assert.Equal(["approval_requested", "rejected"], (await app.EventsAsync(listing)).Select(e => e.Data.Cause));
        Assert.Equal("illegal_transition", await (await provider.PostAsync($"/api/v1/listings/{listing}/versions/1.0.0/submit")).CodeAsync(HttpStatusCode.Conflict));
    }

    [Fact]
    public async Task A_decision_on_a_withdrawn_version_changes_nothing()
    {
        var (provider, listing, _) = await SubmitAsync();
        await (await provider.PostAsync($"/api/v1/listings/{listing}/versions/1.0.0/withdraw")).JsonAsync();
        var (_, other, _) = await SubmitAsync(); // Its decision comes behind the other one.
        await DecideAsync((await app.EventsAsync(listing))[0].Data, ApprovalDecision.Approved, "bob");
        await DecideAsync((await app.EventsAsync(other))[0].Data, ApprovalDecision.Approved, "bob");
        await Until.TrueAsync(async () => (await app.EventsAsync(other)).Count == 2);
        Assert.Equal("rejected", await provider.StatusAsync(listing, "1.0.0"));
        Assert.Equal(["approval_requested", "rejected"], (await app.EventsAsync(listing)).Select(e => e.Data.Cause));
    }

    [Fact]
    public async Task An_organisation_is_known_once_Identity_has_told_of_it()
    {
        await using var peers = await shared.Postgres.CreateDatabaseAsync("peer");
        await using var peer = await TestService.StartAsync("identity", identity, peers, Add, Map);
        await using var own = await PublishingApp.StartAsync(shared.Postgres, settings: new() { ["services:identity:http:0"] = peer.Address }, trust: identity);
        var organisation = Guid.CreateVersion7();
        var provider = own.CallerOf(organisation, "acme", "alice", "provider");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await provider.PostAsync("/api/v1/listings", new { name = "a", visibility = new { kind = "public" } })).StatusCode);
        await SendAsync(peer, organisation, 1, new OrganisationChanged(organisation, "acme", "Acme", ComplianceLevel.Public, OrganisationTier.Basic, OrganisationStatus.Active, IsOperator: false));
        await Until.TrueAsync(async () => (await provider.PostAsync("/api/v1/listings", new { name = "a", visibility = new { kind = "public" } })).StatusCode == HttpStatusCode.Created);
        await SendAsync(peer, organisation, 2, new OrganisationChanged(organisation, "acme", "Acme", ComplianceLevel.Public, OrganisationTier.Basic, OrganisationStatus.Suspended, IsOperator: false));
        await Until.TrueAsync(async () => (await provider.PostAsync("/api/v1/listings", new { name = "b" + Guid.CreateVersion7(), visibility = new { kind = "public" } })).StatusCode == HttpStatusCode.Forbidden);

        static void Add(WebApplicationBuilder builder)
        {
            builder.Logging.ClearProviders();
            builder.AddServiceDatabase<PeerDb>("identity");
            builder.AddMessaging<PeerDb>("identity").Publishes<OrganisationChanged>(IdentityEvents.Organisations, IdentityEvents.OrganisationChanged);
        }

        // Keys and tokens still come from the test's identity.
        void Map(WebApplication peerApp)
        {
            peerApp.MapMessaging();
            var forward = new HttpClient { BaseAddress = new Uri(identity.Address) };
            peerApp.MapGet("/.well-known/jwks", async () => Results.Text(await forward.GetStringAsync("/.well-known/jwks"), "application/json")).AllowAnonymous();
            peerApp.MapPost("/connect/token", async (HttpRequest request) =>
                Results.Text(await (await forward.PostAsync("/connect/token", new StreamContent(request.Body) { Headers = { ContentType = new("application/x-www-form-urlencoded") } })).Content.ReadAsStringAsync(), "application/json")).AllowAnonymous();
        }
    }

    private async Task<(Caller Provider, Guid Listing, System.Text.Json.Nodes.JsonNode Run)> SubmitAsync(System.Text.Json.Nodes.JsonObject? declaration = null)
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        return (provider, listing, await provider.PublishAsync(listing, declaration ?? Declarations.NeedsApproval()));
    }

    private Task DecideAsync(ListingChanged asked, ApprovalDecision decision, string by)
    {
        var version = asked.Versions[0];
        return SendAsync(admin, version.Approval!.ApprovalId, 1, new ApprovalDecided(version.Approval.ApprovalId, asked.ListingId, version.VersionId, decision, by, "Because.", DateTimeOffset.UtcNow));
    }

    private static async Task SendAsync<TEvent>(TestService peer, Guid key, long version, TEvent data)
        where TEvent : class
    {
        await using var scope = peer.App.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<PeerDb>();
        scope.ServiceProvider.GetRequiredService<Outbox>().Add(db, key, version, data);
        await db.SaveChangesAsync();
    }

    public sealed class PeerDb(DbContextOptions<PeerDb> options) : DbContext(options)
    {
        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddOutbox();
    }
}

using LlmMarketplace.Discovery.Categories;
using LlmMarketplace.Discovery.Indexing;
using LlmMarketplace.Discovery.Listings;
using LlmMarketplace.Discovery.Search;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Messaging;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Discovery;

/// <summary>
/// START HERE. The catalogue: follows the events of Publishing and Identity into a projection of its own (Indexing), and answers searches by words and by meaning
/// (Search), details (Listings), categories and tags (Categories). Every answer holds only what the caller's organisation may see.
/// </summary>
public static class DiscoveryService
{
    /// <summary>The service's name.</summary>
    public const string Name = "discovery";

    /// <summary>Adds the service.</summary>
    public static WebApplicationBuilder AddDiscovery(this WebApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddServiceDatabase<DiscoveryContext>(Name);
        builder.AddMessaging<DiscoveryContext>(Name)
            .Consumes<OrganisationChanged, ApplyOrganisation>(IdentityEvents.Producer, IdentityEvents.Organisations, IdentityEvents.OrganisationChanged)
            .Consumes<ListingChanged, ApplyListing>(PublishingEvents.Producer, PublishingEvents.Services, PublishingEvents.ListingChanged);
        builder.Services.AddSentenceEmbedder();
        // Mirrors are applied in this order: who knows a provider's organisation knows the listings of that moment too.
        builder.AddTableMirror<ListingMirror>();
        builder.AddTableMirror<OrganisationMirror>();
        builder.Services.AddSearch();
        return builder;
    }

    /// <summary>Maps the service's endpoints.</summary>
    public static WebApplication MapDiscovery(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.MapMessaging();
        var services = app.MapGroup("/api/v1/services").WithTags("Catalogue").RequireAuthorization();
        services.MapGet("/", SearchListings.Handle).WithName("searchServices").WithSummary("Search the catalogue by words and by meaning");
        services.MapGet("/categories", ListCategories.Handle).WithName("listCategories").WithSummary("Categories and how many services each has");
        services.MapGet("/tags", ListTags.Handle).WithName("listTags").WithSummary("The tags most used");
        services.MapGet("/autocomplete", Autocomplete.Handle).WithName("autocompleteServices").WithSummary("Complete what somebody types");
        services.MapGet("/{id:guid}", GetListing.ById).WithName("getService").WithSummary("A service by its id");
        services.MapGet("/by-name/{provider}/{service}", GetListing.ByName).WithName("getServiceByName").WithSummary("A service by its name");
        services.MapGet("/{id:guid}/similar", SimilarListings.Handle).WithName("similarServices").WithSummary("Services close in meaning");
        return app;
    }

    private static void AddSearch(this IServiceCollection services)
    {
        services.AddSingleton<Viewers>();
        services.AddSingleton<LexicalMatches>();
        services.AddSingleton<IListingIndex, PostgresListingIndex>();
    }
}

using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Versions;

namespace LlmMarketplace.Publishing.Validation;

/// <summary>unknown_member: a misspelt rate would be no rate, and what it prices would be given away.</summary>
internal sealed class KnownMembersRule : ISpecificationRule
{
    public Task CheckAsync(ValidationSubject subject, Declaration declaration, Node root, CancellationToken cancellationToken)
    {
        Check(root, Json.Options.GetTypeInfo(typeof(ServiceDeclaration)));
        return Task.CompletedTask;
    }

    private static void Check(Node at, JsonTypeInfo form)
    {
        if (form.Kind == JsonTypeInfoKind.Enumerable && at.Element.ValueKind == JsonValueKind.Array)
        {
            foreach (var (index, item) in at.Element.EnumerateArray().Index())
            {
                Check(at.At(index.ToString(System.Globalization.CultureInfo.InvariantCulture), item), Json.Options.GetTypeInfo(form.ElementType!));
            }
        }
        else if (form.Kind == JsonTypeInfoKind.Object && at.Element.ValueKind == JsonValueKind.Object)
        {
            var known = form.Properties.Where(property => property.AssociatedParameter is not null || property.Set is not null).ToDictionary(property => property.Name, StringComparer.Ordinal);
            foreach (var member in at.Element.EnumerateObject())
            {
                var below = at.At(member.Name, member.Value);
                if (known.TryGetValue(member.Name, out var property))
                {
                    Check(below, Json.Options.GetTypeInfo(Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType));
                }
                else
                {
                    below.Report(IssueCodes.UnknownMember, $"There is no such member here: {string.Join(", ", known.Keys)} are.");
                }
            }
        }
    }
}
